//! Compares two JSON documents, field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::change::ChangeCollector;

/// Adds a change for every field that differs; its name is the path with dots.
pub(super) fn compare(before: &Value, after: &Value, found: &mut ChangeCollector) {
    let (before, after) = (fields(before), fields(after));
    for (path, value) in &before {
        match after.get(path) {
            Some(other) if other == value => {}
            other => found.add(path, Some(value.clone()), other.cloned()),
        }
    }
    for (path, value) in &after {
        if !before.contains_key(path) {
            found.add(path, None, Some(value.clone()));
        }
    }
}

/// Returns every value that is not an object or list, by its path; empty objects and lists are also values. A list of
/// `NAME=value` is treated as an object.
fn fields(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(String::new(), value, &mut found);
    found
}

fn collect(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    let child_path = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                collect(child_path(key), value, found);
            }
        }
        Value::Array(items) if !items.is_empty() => match variables(items) {
            Some(variables) => found.extend(
                variables
                    .into_iter()
                    .map(|(name, value)| (child_path(&name), value)),
            ),
            None => {
                for (position, item) in items.iter().enumerate() {
                    collect(format!("{path}[{position}]"), item, found);
                }
            }
        },
        Value::Null => {}
        Value::String(text) => drop(found.insert(path, text.clone())),
        other => drop(found.insert(path, other.to_string())),
    }
}

/// Returns the names and values of a list whose items are all `NAME=value` with different names; `None` for other
/// lists.
fn variables(items: &[Value]) -> Option<BTreeMap<String, String>> {
    let pair = |item: &Value| {
        let (name, value) = item.as_str()?.split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes()
            .all(is_name)
            .then(|| (name.to_owned(), value.to_owned()))
    };
    let pairs: BTreeMap<_, _> = items.iter().map(pair).collect::<Option<_>>()?;
    (pairs.len() == items.len()).then_some(pairs)
}
