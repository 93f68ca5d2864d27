//! The JSON Schema of playbooks, beside the parser.

use noetl_engine::{Severity, schema};
use serde_json::{Value as Json, json};

use crate::harness::{problem_text, problems};

/// Returns a playbook in which `level` has `key` with `value`, as the part of a body below the head.
fn body(level: &str, key: &str, value: &Json) -> String {
    let mut tool = json!({"kind": "noop"});
    let mut step = json!({"step": "a"});
    let mut root = json!({});
    match level {
        "playbook" => root[key] = value.clone(),
        "step" => step[key] = value.clone(),
        "loop" => step["loop"] = json!({"in": [], key: value}),
        "arc" => step["next"] = json!({"arcs": [{"step": "a", key: value}]}),
        "tool" => tool[key] = value.clone(),
        "spec" => tool["spec"] = json!({key: value}),
        "rule" => tool["spec"] = json!({"policy": {"rules": [{key: value}]}}),
        other => panic!("no level {other}"),
    }
    if step.get("tool").is_none() {
        step["tool"] = tool;
    }
    if root.get("workflow").is_none() {
        root["workflow"] = json!([step]);
    }
    let lines = root.as_object().unwrap().iter();
    lines
        .map(|(key, value)| format!("{key}: {value}\n"))
        .collect()
}

/// Each key of the schema is one that the parser reads or warns about, and no other is.
#[test]
fn the_schema_and_the_parser_know_the_same_keys() {
    let schema = schema();
    let levels = schema["$defs"].as_object().unwrap();
    assert_eq!(levels.len(), 7);
    for (level, definition) in levels {
        let properties = definition["properties"].as_object().unwrap();
        assert!(properties.len() > 5, "{level}");
        for (key, shape) in properties {
            let found = problem_text(&body(level, key, &json!("x")));
            assert!(
                !found.contains(&format!("`{key}` is no key of")),
                "{level} {key}: {found}"
            );
            // Only a warning of the parser marks a key as one without a meaning. Of tools every other key is free.
            let is_warned = found.contains(&format!("`{key}` has no meaning in"));
            let is_marked = shape["deprecated"] == true;
            assert!(
                is_warned == is_marked || level == "tool",
                "{level} {key}: {found}"
            );
        }
        let other = body(level, "quite_another", &json!("x"));
        let is_error = problems(&other).iter().any(|problem| {
            problem.severity == Severity::Error && problem.message.contains("quite_another")
        });
        assert_eq!(
            is_error,
            definition["additionalProperties"] == false,
            "{level}"
        );
    }
}

#[test]
fn the_kinds_of_the_schema_are_those_of_the_parser() {
    let kinds = schema()["$defs"]["tool"]["properties"]["kind"]["enum"].clone();
    for kind in kinds.as_array().unwrap() {
        let found = problem_text(&body("tool", "kind", kind));
        assert!(!found.contains("is not supported by this NoETL"), "{found}");
    }
}

/// The copy that the examples name for editors.
#[test]
fn the_schema_file_is_up_to_date() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../noetlctl/playbook.schema.json"
    );
    let text = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(
        text,
        format!("{:#}\n", schema()),
        "run `noetl schema > crates/noetlctl/playbook.schema.json`"
    );
}
