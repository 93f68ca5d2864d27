//! The parts of values that templates use: a command carries these, and not whole results or the whole workload.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::ValueKind;

/// The parts of a value that are used, each by the keys that lead to it. No key is the whole value.
pub(super) type Paths<'a> = Vec<&'a [String]>;

/// Returns a value with the parts at these paths alone. It shares them with the value.
pub(super) fn parts(value: &Value, paths: &[&[String]]) -> Value {
    if value.kind() != ValueKind::Map || paths.iter().any(|path| path.is_empty()) {
        return value.clone();
    }
    let mut below: BTreeMap<&str, Paths<'_>> = BTreeMap::new();
    for (key, rest) in paths.iter().filter_map(|path| path.split_first()) {
        below.entry(key).or_default().push(rest);
    }
    below
        .into_iter()
        .filter_map(|(key, paths)| {
            let found = value.get_item(&Value::from(key)).ok()?;
            (!found.is_undefined()).then(|| (key.to_owned(), parts(&found, &paths)))
        })
        .collect::<BTreeMap<String, Value>>()
        .into()
}

/// Whether a mapping has the first key of every path itself.
pub(super) fn has_all(value: &Value, paths: &[&[String]]) -> bool {
    value.kind() == ValueKind::Map
        && paths.iter().all(|path| {
            let found = path
                .first()
                .map(|key| value.get_item(&Value::from(key.as_str())));
            matches!(found, Some(Ok(found)) if !found.is_undefined())
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{from_json, to_json};

    #[test]
    fn a_value_keeps_what_is_used() {
        let value = from_json(&json!({"a": {"b": 1, "c": 2}, "l": [{"x": 1}], "n": 3}));
        for (paths, expected) in [
            (vec!["a.b"], json!({"a": {"b": 1}})),
            (vec!["a.b", "n"], json!({"a": {"b": 1}, "n": 3})),
            (vec!["a.b", "a"], json!({"a": {"b": 1, "c": 2}})),
            (vec!["l.0.x", "none"], json!({"l": [{"x": 1}]})),
            (
                vec![""],
                json!({"a": {"b": 1, "c": 2}, "l": [{"x": 1}], "n": 3}),
            ),
        ] {
            let paths: Vec<Vec<String>> = paths
                .iter()
                .map(|path| {
                    path.split('.')
                        .filter(|key| !key.is_empty())
                        .map(str::to_owned)
                        .collect()
                })
                .collect();
            let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
            assert_eq!(to_json(&parts(&value, &paths)), expected, "{paths:?}");
        }
    }
}
