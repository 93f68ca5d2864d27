//! The workload of an execution: the playbook's defaults under the payload.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::playbook::Field;
use crate::template::{self, Scope, Style, from_json};

/// How many mappings a payload's dotted key may reach into; one with more is a key as it stands.
const MAX_DOTS: usize = 64;

/// The workload with its own templates filled in: `{{ execution_id }}`, `{{ payload.user }}`. What a
/// payload brought is data and stays as it is; an entry without a value is left out, so that whoever uses
/// it is told.
pub(super) fn filled(
    workload: Map<String, Json>,
    payload: &Map<String, Json>,
    execution_id: &str,
) -> Map<String, Json> {
    let names: Vec<String> = workload.keys().cloned().collect();
    let (mut filled, mut waiting) = (Map::new(), Vec::new());
    for (name, value) in workload {
        let given = payload.contains_key(&name);
        if given || !has_templates(&value) {
            filled.insert(name, value);
        } else {
            waiting.push(Field::plain(&name, value));
        }
    }
    // Entries that name others wait until those have their values; what is left names itself or nothing.
    loop {
        let scope = scope(&filled, payload, execution_id);
        let before = waiting.len();
        waiting.retain(|field| match template::render(field, &scope, Style::Json) {
            Ok(value) => {
                filled.insert(field.name.clone(), value);
                false
            }
            Err(_) => true,
        });
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    // In the order of the file, which tables and dumps keep.
    names
        .into_iter()
        .filter_map(|name| filled.remove_entry(&name))
        .collect()
}

fn has_templates(value: &Json) -> bool {
    match value {
        Json::String(text) => template::is_template(text),
        Json::Array(items) => items.iter().any(has_templates),
        Json::Object(entries) => entries.values().any(has_templates),
        _ => false,
    }
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

/// `key` of a payload over the workload: mappings merge, `a.b` reaches into them.
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
            if let Json::Object(inner) = first {
                merge(inner, rest, value);
            }
        }
        _ => {
            workload.insert(key.to_owned(), value.clone());
        }
    }
}
