//! Values between JSON and minijinja.

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::Value as Json;

/// Returns a value as JSON; what JSON cannot express becomes text.
pub(crate) fn to_json(value: &Value) -> Json {
    if value.is_undefined() || value.is_none() {
        return Json::Null;
    }
    serde_json::to_value(value).unwrap_or_else(|_| Json::String(value.to_string()))
}

/// Returns JSON as a value for templates, and frees its parts on the way.
pub(crate) fn into_value(json: Json) -> Value {
    match json {
        Json::Array(items) => items.into_iter().map(into_value).collect::<Vec<_>>().into(),
        Json::Object(entries) => {
            let entries = entries.into_iter();
            Value::from_pairs(entries.map(|(key, item)| (key, into_value(item))))
        }
        other => from_json(&other),
    }
}

/// Returns JSON as a value for templates.
pub(crate) fn from_json(json: &Json) -> Value {
    Value::from(Serde(json))
}
