//! The workload of an execution: the playbook's defaults under the payload.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::playbook::Field;
use crate::template::from_json;

/// The workload with its own templates filled in: `{{ execution_id }}`, `{{ payload.user }}`. What a
/// payload brought is data and stays as it is; an entry without a value is left out, so that whoever uses
/// it is told.
pub(super) fn filled(
    workload: Map<String, Json>,
    payload: &Map<String, Json>,
    execution_id: &str,
) -> Map<String, Json> {
    let mut scope: BTreeMap<String, Value> = workload
        .iter()
        .map(|(name, value)| (name.clone(), from_json(value)))
        .collect();
    let given = from_json(&Json::Object(payload.clone()));
    let id = Value::from(execution_id);
    scope.insert(
        "workload".to_owned(),
        from_json(&Json::Object(workload.clone())),
    );
    scope.insert("execution_id".to_owned(), id.clone());
    scope.insert(
        "job".to_owned(),
        Value::from(BTreeMap::from([("uuid", id.clone()), ("id", id)])),
    );
    for name in ["payload", "input", "args"] {
        scope
            .entry(name.to_owned())
            .or_insert_with(|| given.clone());
    }
    scope
        .entry("env".to_owned())
        .or_insert_with(|| from_json(&Json::Object(Map::new())));
    // A default that names itself asks for what the payload would have brought.
    for name in workload.keys().filter(|name| !payload.contains_key(*name)) {
        if workload[name]
            .as_str()
            .is_some_and(crate::template::is_template)
        {
            scope.remove(name);
        }
    }
    let mut filled = Map::new();
    for (name, value) in workload {
        if payload.contains_key(&name) {
            filled.insert(name, value);
            continue;
        }
        let mut field = Field::plain(&name, value);
        field.find_roots();
        if field.roots().next().is_none() {
            filled.insert(name, field.value);
        } else if let Ok(value) =
            crate::template::render(&field, &scope, crate::template::Style::Json)
        {
            filled.insert(name, value);
        }
    }
    filled
}

/// `key` of a payload over the workload: mappings merge, `a.b` reaches into them.
pub(super) fn merge(workload: &mut Map<String, Json>, key: &str, value: &Json) {
    match (workload.get_mut(key), value) {
        (Some(Json::Object(known)), Json::Object(given)) => {
            for (key, value) in given {
                merge(known, key, value);
            }
        }
        (None, _) if key.contains('.') => {
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
