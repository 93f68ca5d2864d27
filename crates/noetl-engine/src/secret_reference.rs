//! References to secrets: what the result of a `secrets` step holds in place of the secret.
//!
//! Results are stored with the execution and can be read by everyone who may read the execution, so a
//! result never holds a secret. A worker replaces the reference by the secret when a later step uses it.
//! A reference has a seal that cannot be guessed, and only references that a `secrets` task of the same
//! execution gave are replaced: an HTTP answer that looks like a reference is an ordinary mapping.

use std::hash::{BuildHasher as _, RandomState};

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Map, Value as Json, json};

/// The only key of a reference.
const KEY: &str = "$secret";
/// The key below it whose value cannot be guessed.
const SEAL: &str = "seal";

/// Returns a new reference to a field of a credential.
pub(crate) fn to_field(credential: &str, field: &str) -> Json {
    sealed(json!({"credential": credential, "field": field}))
}

/// Returns a new reference to an environment variable.
pub(crate) fn to_environment_variable(name: &str) -> Json {
    sealed(json!({"environment": name}))
}

fn sealed(mut target: Json) -> Json {
    // Each state has its own keys from the system's random source.
    let [high, low] = [0; 2].map(|zero| RandomState::new().hash_one(zero));
    target[SEAL] = format!("{high:016x}{low:016x}").into();
    json!({ KEY: target })
}

/// Returns what a reference refers to; none when the value is not a reference.
pub(crate) fn target(value: &Json) -> Option<&Map<String, Json>> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let target = entries.get(KEY)?.as_object()?;
    target.contains_key(SEAL).then_some(target)
}

/// Whether a template's value is a reference.
pub(crate) fn is_reference(value: &Value) -> bool {
    let seal = |target: Value| target.get_attr(SEAL).ok();
    let target = value.get_attr(KEY).ok().filter(|_| value.len() == Some(1));
    target
        .and_then(seal)
        .is_some_and(|seal| !seal.is_undefined())
}

/// Whether a text contains a reference, whichever quotes it is written with.
pub(crate) fn is_within(text: &str) -> bool {
    let rest = text.split_once(KEY).map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.contains(SEAL))
}

/// Whether a value is a reference, or has one in it.
pub(crate) fn is_anywhere_in(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Map if is_reference(value) => true,
        ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
            keys.any(|key| value.get_item(&key).is_ok_and(|item| is_anywhere_in(&item)))
        }),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .is_ok_and(|mut items| items.any(|item| is_anywhere_in(&item))),
        _ => false,
    }
}

/// Returns every reference in a value.
pub(crate) fn find_all(value: &Json) -> Vec<Json> {
    match value {
        found if target(found).is_some() => vec![found.clone()],
        Json::Array(items) => items.iter().flat_map(find_all).collect(),
        Json::Object(entries) => entries.values().flat_map(find_all).collect(),
        _ => Vec::new(),
    }
}
