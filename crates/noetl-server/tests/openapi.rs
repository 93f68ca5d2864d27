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
        parse(&noetl_server::OPENAPI) == parse(&noetl_server::generate_openapi()),
        "crates/noetl-server/openapi.json is not what the handlers make; write it with `cargo run -p noetl-server \
         --features openapi --example openapi > crates/noetl-server/openapi.json`, then the types with \
         `npm --prefix ui-src run api-types`"
    );
}

#[test]
fn each_operation_has_a_unique_id() {
    let document = parse(&noetl_server::OPENAPI);
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

#[test]
fn each_body_and_path_parameter_has_an_example() {
    let document = parse(&noetl_server::OPENAPI);
    let schemas = &document["components"]["schemas"];
    // A body that may be missing is one of a type and null; the content of a result is any value.
    let type_of = |schema: &Value| {
        let schema = schema.get("oneOf").map_or(schema, |parts| &parts[0]);
        let schema = schema.get("items").unwrap_or(schema);
        Some(schema.get("$ref")?.as_str()?.rsplit('/').next()?.to_owned())
    };
    let operations = document["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|path| path.as_object().unwrap().values());
    let mut bodies = 0;
    for operation in operations {
        let answers = operation["responses"].as_object().unwrap().values();
        for body in answers.chain(operation.get("requestBody")) {
            let schema = body.pointer("/content/application~1json/schema");
            if let Some(name) = schema.and_then(type_of) {
                assert!(
                    schemas[&name]["examples"].is_array(),
                    "{name} has no example"
                );
                bodies += 1;
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let has_example = parameter.get("example").is_some();
            assert!(has_example || parameter["in"] != "path", "{parameter}");
        }
    }
    assert!(bodies > 100, "{bodies}");
}

/// Compared with a JSON Schema validator of others: OpenAPI 3.1 has its schemas.
#[test]
fn each_example_fits_its_schema() {
    let document = parse(&noetl_server::OPENAPI);
    let url = "memory:///openapi.json";
    let mut compiler = boon::Compiler::new();
    compiler.add_resource(url, document.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut checked = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            let place = format!("{url}#/components/schemas/{name}");
            let index = compiler.compile(&place, &mut schemas).unwrap();
            let said = schemas
                .validate(example, index)
                .map_err(|error| error.to_string());
            assert_eq!(said, Ok(()), "{name}: {example}");
            checked += 1;
            // The fields of a type that includes another one are in several places.
            let Some(known) = schema["properties"].as_object() else {
                continue;
            };
            for field in example.as_object().unwrap().keys() {
                assert!(known.contains_key(field), "{name} has no `{field}`");
            }
        }
    }
    assert!(checked > 60, "{checked}");
}
