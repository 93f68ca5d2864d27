//! A call's fields on the way in, and what its result says of itself on the way out.

use serde_json::{Map, Value as Json};

use crate::playbook::Task;
use crate::tool::Failure;

/// A result that says `status: error` is a failure, whoever gave it.
pub(super) fn reported_error(result: Json, task: &Task) -> Result<Json, Failure> {
    if result.get("status").and_then(Json::as_str) != Some("error") {
        return Ok(result);
    }
    let text = |key: &str| result.get(key).and_then(Json::as_str).map(str::to_owned);
    let message = text("message")
        .or_else(|| text("error"))
        .unwrap_or_else(|| "the result says `status: error`".to_owned());
    Err(Failure {
        result: Some(result),
        ..Failure::new("reported", message)
    }
    .at(&task.config.place))
}

/// Mappings such as `params` merge; everything else is replaced.
pub(super) fn override_field(config: &mut Map<String, Json>, name: &str, value: &Json) {
    match (config.get_mut(name), value) {
        (Some(Json::Object(known)), Json::Object(given)) => known.extend(given.clone()),
        _ => {
            config.insert(name.to_owned(), value.clone());
        }
    }
}
