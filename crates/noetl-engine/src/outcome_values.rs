//! Outcomes and failures as templates see them.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Value as Json, json};

use crate::command::Outcome;
use crate::template::{StepResult, from_json};
use noetl_api::Failure;

/// Returns the value of `error`: `error.status`, `error.kind`, `error.message`.
pub(crate) fn error_value(failure: &Failure) -> Value {
    let mut json = serde_json::to_value(failure).unwrap_or_default();
    if let Some(entries) = json.as_object_mut() {
        entries.shift_remove("place");
        if let Some(status) = failure.status {
            entries.insert("status_code".to_owned(), status.into());
        }
    }
    from_json(&json)
}

/// Returns the value of `outcome`, and of `output`, its newer name. `response` is the result of a call that succeeded.
pub(crate) fn outcome_value(outcome: &Outcome, response: &Value, attempt: u32) -> Value {
    let error = outcome.error.as_ref();
    let result = match error {
        Some(failure) => failure
            .result
            .as_ref()
            .map_or_else(Value::default, from_json),
        None => response.clone(),
    };
    let entry = |key: &str| {
        let found = (result.kind() == ValueKind::Map).then(|| result.get_attr(key).ok());
        let found = found.flatten().filter(|found| !found.is_undefined());
        found.unwrap_or_else(|| Value::from(()))
    };
    let http_status = match error {
        Some(failure) => failure.status.map_or_else(|| Value::from(()), Value::from),
        None => entry("status_code"),
    };
    let headers = entry("headers");
    let result = match result.is_undefined() {
        true => Value::from(()),
        false => result,
    };
    let tasks = from_json(&Json::Object(outcome.tasks.clone()));
    let wrapped = StepResult::wrap(result, tasks);
    let code = error
        .and_then(|failure| failure.code.clone())
        .unwrap_or_default();
    let status = if error.is_some() { "error" } else { "ok" };
    let meta = json!({ "attempt": attempt, "duration_ms": outcome.duration_ms });
    Value::from(BTreeMap::from([
        ("status", Value::from(status)),
        ("result", wrapped.clone()),
        ("response", wrapped.clone()),
        ("data", wrapped),
        ("error", error.map_or_else(|| Value::from(()), error_value)),
        (
            "http",
            Value::from(BTreeMap::from([
                ("status", http_status),
                ("headers", headers),
            ])),
        ),
        ("pg", from_json(&json!({ "code": code }))),
        ("py", from_json(&json!({ "exception_type": code }))),
        ("meta", from_json(&meta)),
    ]))
}
