//! What a loop goes over.

use minijinja::Value;
use serde_json::Value as Json;

use crate::bounded_json;
use crate::template::from_json;
use noetl_api::Failure;

/// Returns the failure of a collection that is no list.
fn no_list(noun: &str, help: &str) -> Failure {
    Failure::new(
        "loop",
        format!("a loop goes over a list, and this is {noun}"),
    )
    .help(help)
}

/// Returns the items of a loop's collection: a list, or text that is the JSON of one. Null has none.
pub(super) fn list_items(collection: &Json) -> Result<Vec<Value>, Failure> {
    match collection {
        Json::Array(items) => Ok(items.iter().map(from_json).collect()),
        Json::Null => Ok(Vec::new()),
        Json::String(text) => match bounded_json::parse(text.as_bytes()) {
            Ok(Json::Array(items)) => Ok(items.iter().map(from_json).collect()),
            _ => {
                let begin: String = text.chars().take(40).collect();
                Err(no_list(
                    &format!("the text `{begin}`"),
                    "for its parts write `{{ TEXT.split(',') }}`",
                ))
            }
        },
        Json::Object(entries) => {
            let keys: Vec<_> = entries.keys().take(5).map(String::as_str).collect();
            Err(no_list(
                &format!("a mapping with the keys {}", keys.join(", ")),
                "name the list within it, or write `{{ MAPPING | items }}` for pairs of keys and values",
            ))
        }
        Json::Bool(_) => Err(no_list("a boolean", "name the list that is meant")),
        Json::Number(number) => Err(no_list(
            &format!("the number {number}"),
            "write `{{ range(NUMBER) | list }}`",
        )),
    }
}
