//! The playbook language as a JSON Schema, made of the keys that the parser reads.

use serde_json::{Map, Value as Json, json};

use super::super::tool_kind::ToolKind;
use super::keys::{ARC, LOOP, Level, ROOT, RULE, SPEC, STEP, TOOL};

/// Returns the JSON Schema (draft 2020-12) of a playbook, with which editors complete and check one. It knows the keys of
/// each mapping and the shapes of the most important values; the parser checks more.
pub fn schema() -> Json {
    let named = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let list_of = |name: &str| json!({ "type": "array", "items": named(name) });
    let root = object(
        &ROOT,
        &[
            (
                "apiVersion",
                json!({ "enum": ["noetl.io/v2", "noetl.io/v10"] }),
            ),
            ("kind", json!({ "const": "Playbook" })),
            ("workload", json!({ "type": "object" })),
            ("workload_schema", json!({ "type": "object" })),
            (
                "workflow",
                json!({ "type": "array", "items": named("step"), "minItems": 1 }),
            ),
            ("workbook", json!({ "type": "array" })),
            ("keychain", json!({ "type": "array" })),
        ],
        &["apiVersion", "kind", "workflow"],
    );
    let tools = json!({ "oneOf": [{ "type": "string" }, named("tool"), { "type": "array" }, {
        "type": "object", "additionalProperties": named("tool"), "not": { "required": ["kind"] },
    }] });
    let next = json!({ "oneOf": [{ "type": "string" }, { "type": "array" }, named("arc")] });
    let step = object(
        &STEP,
        &[
            ("step", json!({ "type": ["string", "number", "boolean"] })),
            ("tool", tools),
            ("loop", named("loop")),
            ("next", next),
            ("case", json!({ "type": "array" })),
        ],
        &["step"],
    );
    let mut kinds: Vec<&str> = ToolKind::ALL.map(ToolKind::name).to_vec();
    kinds.extend(ToolKind::OTHER_NAMES);
    kinds.push("workbook");
    let tool = object(
        &TOOL,
        &[("kind", json!({ "enum": kinds })), ("spec", named("spec"))],
        &["kind"],
    );
    let policy = json!({ "type": "object", "properties": { "rules": list_of("rule") } });
    let spec = object(&SPEC, &[("policy", policy)], &[]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "NoETL playbook",
        "$ref": "#/$defs/playbook",
        "$defs": {
            "playbook": root,
            "step": step,
            "loop": object(&LOOP, &[], &[]),
            "arc": object(&ARC, &[], &[]),
            "rule": object(&RULE, &[], &[]),
            "spec": spec,
            "tool": tool,
        },
    })
}

/// Returns the schema of a mapping: its keys, those of which the value is known, and those that it must have.
fn object(level: &Level, shapes: &[(&str, Json)], required: &[&str]) -> Json {
    let mut properties: Map<String, Json> = Map::new();
    for key in level.known_keys() {
        let shape = shapes.iter().find(|(name, _)| *name == key);
        properties.insert(
            key.to_owned(),
            shape.map_or(json!(true), |(_, shape)| shape.clone()),
        );
    }
    for key in level.other_keys() {
        let warning = json!({ "deprecated": true, "description": "has no meaning here" });
        properties.insert(key.to_owned(), warning);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
    });
    if level.is_closed() {
        schema["patternProperties"] = json!({ "^x[-_]": true });
        schema["additionalProperties"] = json!(false);
    }
    schema
}
