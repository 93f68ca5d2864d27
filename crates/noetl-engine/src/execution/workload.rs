//! The workload of an execution: the playbook's defaults under the payload.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::field::Field;
use crate::playbook::Playbook;
use crate::template::{self, Scope, Style, from_json};

/// The most dots with which a payload's key counts as a path; a key with more is one name.
const MAX_DOTS: usize = 64;

/// Returns a payload by the names of the workload: `workload.a` and `workload: {a: …}` are the workload's `a`.
pub(super) fn given_values(playbook: &Playbook, payload: &Map<String, Json>) -> Map<String, Json> {
    let mut given = Map::new();
    for (key, value) in payload {
        match (key.as_str(), value) {
            ("workload", Json::Object(entries)) if !playbook.workload.contains_key("workload") => {
                given.extend(entries.clone());
            }
            _ => {
                given.insert(playbook.strip_workload(key).to_owned(), value.clone());
            }
        }
    }
    given
}

/// Returns the workload with its templates evaluated: `{{ execution_id }}`, `{{ payload.user }}`. Values of
/// the payload are data and stay as they are. An entry whose template has no value is left out, so that
/// its use is an error.
pub(super) fn evaluate_defaults(
    workload: Map<String, Json>,
    payload: &Map<String, Json>,
    execution_id: &str,
) -> Map<String, Json> {
    let names: Vec<String> = workload.keys().cloned().collect();
    let (mut evaluated, mut waiting) = (Map::new(), Vec::new());
    for (name, value) in workload {
        let given = payload.contains_key(&name);
        if given || !template::has_templates(&value) {
            evaluated.insert(name, value);
        } else {
            waiting.push(Field::plain(&name, value));
        }
    }
    // Entries that use others wait until those have values. The last ones use each other, or unknown names.
    loop {
        let scope = scope(&evaluated, payload, execution_id);
        let before = waiting.len();
        waiting.retain(|field| match template::render(field, &scope, Style::Json) {
            Ok(value) => {
                evaluated.insert(field.name.clone(), value);
                false
            }
            Err(_) => true,
        });
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    // In the order of the file, which displays keep.
    names
        .into_iter()
        .filter_map(|name| evaluated.remove_entry(&name))
        .collect()
}

fn scope(workload: &Map<String, Json>, payload: &Map<String, Json>, execution_id: &str) -> Scope {
    let mut scope: Scope = workload
        .iter()
        .map(|(name, value)| (name.clone(), from_json(value)))
        .collect();
    let given = from_json(&Json::Object(payload.clone()));
    let id = Value::from(execution_id);
    let job = Value::from(BTreeMap::from([("uuid", id.clone()), ("id", id.clone())]));
    let whole = from_json(&Json::Object(workload.clone()));
    scope.extend([
        ("workload".to_owned(), whole),
        ("execution_id".to_owned(), id),
        ("job".to_owned(), job),
    ]);
    for name in ["payload", "input", "args"] {
        scope
            .entry(name.to_owned())
            .or_insert_with(|| given.clone());
    }
    scope
        .entry("env".to_owned())
        .or_insert_with(|| from_json(&Json::Object(Map::new())));
    scope
}

/// Sets a key of the payload in the workload: mappings are merged, and `a.b` is a path.
pub(super) fn merge(workload: &mut Map<String, Json>, key: &str, value: &Json) {
    match (workload.get_mut(key), value) {
        (Some(Json::Object(known)), Json::Object(given)) => {
            for (key, value) in given {
                merge(known, key, value);
            }
        }
        (None, _) if (1..=MAX_DOTS).contains(&key.matches('.').count()) => {
            let (first, rest) = key.split_once('.').unwrap_or((key, ""));
            let first = workload
                .entry(first)
                .or_insert_with(|| Json::Object(Map::new()));
            // A value that has no entries is replaced by one that has: what is given counts.
            if !first.is_object() {
                *first = Json::Object(Map::new());
            }
            if let Json::Object(inner) = first {
                merge(inner, rest, value);
            }
        }
        _ => {
            workload.insert(key.to_owned(), value.clone());
        }
    }
}
