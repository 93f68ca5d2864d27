//! Fields of a call that an attempt overrides, and results that report an error.

use serde_json::{Map, Value as Json};

use crate::playbook::Task;
use noetl_api::Failure;

/// Returns the failure of a result with `status: error`, and every other result as it is.
pub(super) fn check_reported_error(result: Json, task: &Task) -> Result<Json, Failure> {
    if result.get("status").and_then(Json::as_str) != Some("error") {
        return Ok(result);
    }
    let text = |key: &str| result.get(key).and_then(Json::as_str).map(str::to_owned);
    let message = text("message")
        .or_else(|| text("error"))
        .unwrap_or_else(|| "the result has `status: error`".to_owned());
    Err(Failure {
        result: Some(result),
        ..Failure::new("reported", message)
    }
    .at(&task.config.place))
}

/// Overrides a field: mappings such as `params` are merged, other values replaced.
pub(super) fn override_field(config: &mut Map<String, Json>, name: &str, value: &Json) {
    match (config.get_mut(name), value) {
        (Some(Json::Object(known)), Json::Object(given)) => known.extend(given.clone()),
        _ => {
            config.insert(name.to_owned(), value.clone());
        }
    }
}
