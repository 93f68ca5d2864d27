//! The OpenAPI document that ships, against the one that the handlers make.

use serde_json::Value;

fn parse(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).expect("the document is JSON");
    // The version changes with each release, and no type depends on it.
    document["info"]["version"] = Value::Null;
    document
}

#[test]
fn the_document_that_ships_is_the_one_that_the_handlers_make() {
    assert!(
        parse(noetl_server::OPENAPI) == parse(&noetl_server::generate_openapi()),
        "crates/noetl-server/openapi.json is not what the handlers make; write it with `cargo run -p noetl-server \
         --features openapi --example openapi > crates/noetl-server/openapi.json`, then the types with \
         `npm --prefix ui-src run api-types`"
    );
}

#[test]
fn each_operation_has_a_unique_id() {
    let document = parse(noetl_server::OPENAPI);
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
