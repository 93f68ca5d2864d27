//! References: what the result of a `secrets` step holds in the place of a secret.
//!
//! Results are kept with the execution, for everybody to read, so a secret never becomes one. A worker puts
//! the secret in the reference's place when a later step asks for it. A reference carries a seal that
//! nobody can guess, and only those that a `secrets` task of the same execution gave are resolved: an HTTP
//! answer that looks like one is a mapping as any other.

use std::hash::{BuildHasher as _, RandomState};

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::{Failure, Host, credential};

/// The only key of a reference.
const KEY: &str = "$secret";
/// The key below it that nobody can guess the value of.
const SEAL: &str = "seal";

/// A reference to a field of a credential.
pub(super) fn to_field(credential: &str, field: &str) -> Json {
    sealed(json!({"credential": credential, "field": field}))
}

/// A reference to a variable of the environment.
pub(super) fn to_environment(name: &str) -> Json {
    sealed(json!({"environment": name}))
}

fn sealed(mut target: Json) -> Json {
    // Each state has keys of its own from the system's random source.
    let [high, low] = [0; 2].map(|zero| RandomState::new().hash_one(zero));
    target[SEAL] = format!("{high:016x}{low:016x}").into();
    json!({ KEY: target })
}

fn target(value: &Json) -> Option<&Map<String, Json>> {
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

/// Whether a reference became part of a text, however its quotes are spelled there.
pub(crate) fn is_spelled_in(text: &str) -> bool {
    let behind = text.split_once(KEY).map(|(_, behind)| behind);
    behind.is_some_and(|behind| behind.contains(SEAL))
}

/// Every reference in a value.
pub(crate) fn all(value: &Json) -> Vec<Json> {
    match value {
        found if target(found).is_some() => vec![found.clone()],
        Json::Array(items) => items.iter().flat_map(all).collect(),
        Json::Object(entries) => entries.values().flat_map(all).collect(),
        _ => Vec::new(),
    }
}

/// Puts secrets in the place of references, of those that were `given`.
///
/// # Errors
/// A failure of kind `auth` when a secret is no longer there, or a reference was not given here.
pub(crate) async fn resolve(
    value: &mut Json,
    given: &[Json],
    host: &dyn Host,
) -> Result<(), Failure> {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if given.contains(value) {
            *value = secret(value, host).await?;
            continue;
        }
        if target(value).is_some() {
            return Err(Failure::new(
                "auth",
                "a reference to a secret serves only the execution whose `secrets` step gave it",
            )
            .help("read the secret in this playbook, by its `keychain` or a `secrets` step"));
        }
        match value {
            Json::Array(items) => waiting.extend(items),
            Json::Object(entries) => waiting.extend(entries.values_mut()),
            _ => {}
        }
    }
    Ok(())
}

async fn secret(reference: &Json, host: &dyn Host) -> Result<Json, Failure> {
    let text = |key| target(reference)?.get(key)?.as_str();
    if let Some(name) = text("environment") {
        let value = host.environment(name).map(Json::String);
        return value.ok_or_else(|| {
            Failure::new("auth", format!("`{name}` is not set where this step runs"))
        });
    }
    let name = text("credential").unwrap_or_default();
    let field = text("field").unwrap_or_default();
    let found = credential::named(name, host).await?.data.remove(field);
    found.ok_or_else(|| {
        Failure::new(
            "auth",
            format!("the credential `{name}` has no field `{field}` any more"),
        )
    })
}
