//! The copy of the OpenAPI document that the web page's types are generated from.

use std::path::Path;

use serde_json::Value;

fn parse(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).expect("the document is JSON");
    // The version changes with each release, and no type depends on it.
    document["info"]["version"] = Value::Null;
    document
}

#[test]
fn the_committed_document_is_the_one_that_the_server_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui-src/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        parse(&committed) == parse(&noetl_server::openapi()),
        "ui-src/openapi.json is not what the server answers; write it with \
         `cargo run -p noetlctl -- openapi > ui-src/openapi.json`, \
         then the types with `npm run api-types` in ui-src"
    );
}

#[test]
fn each_operation_has_a_unique_id() {
    let document = parse(&noetl_server::openapi());
    let operations = document["paths"].as_object().unwrap().values();
    let mut ids: Vec<_> = operations
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
