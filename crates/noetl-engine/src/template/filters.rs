//! The filters that playbooks use and minijinja lacks or reads otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Value as Json;

use super::result::StepResult;
use super::to_json;
use crate::tool::reference;

/// The longest text that a filter or an operator may build, in bytes.
const MAX_TEXT: usize = 64 << 20;

pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", tojson);
    environment.add_filter("to_json", tojson);
    environment.add_filter("fromjson", fromjson);
    environment.add_filter("from_json", fromjson);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("len", |value: &Value| length(value));
    environment.add_filter("get", get);
    environment.add_filter("keys", |value: &Value| {
        value.try_iter().map(Value::from_iter)
    });
    environment.add_filter("values", values);
    environment.add_filter("b64encode", b64encode);
    environment.add_filter("b64decode", b64decode);
    environment.add_filter("result_of", result_of);
}

/// Plain JSON: no escapes for HTML, which shells and services do not read.
fn tojson(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let json = super::bounds::json(defined(value)?)?;
    let text = match indent {
        Some(_) => serde_json::to_string_pretty(&json),
        None => serde_json::to_string(&json),
    };
    text.map_err(|error| invalid(error.to_string()))
}

pub(super) fn fromjson(text: &str) -> Result<Value, Error> {
    serde_json::from_str::<Json>(text)
        .map(|json| super::from_json(&json))
        .map_err(|error| invalid(format!("the text is not JSON: {error}")))
}

/// As in Jinja2: what is no number is the default, 0.
fn int(value: &Value, default: Option<i64>) -> Result<Value, Error> {
    let json = defined(value).map(to_json)?;
    let number = match &json {
        Json::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|float| float as i64)),
        Json::Bool(flag) => Some(i64::from(*flag)),
        Json::String(text) => {
            let text = text.trim().replace('_', "");
            text.parse()
                .ok()
                .or_else(|| text.parse::<f64>().ok().map(|float| float as i64))
        }
        _ => None,
    };
    Ok(Value::from(number.or(default).unwrap_or(0)))
}

fn float(value: &Value, default: Option<f64>) -> Result<Value, Error> {
    let json = defined(value).map(to_json)?;
    let number = match &json {
        Json::Number(number) => number.as_f64(),
        Json::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Json::String(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|float: &f64| float.is_finite()),
        _ => None,
    };
    Ok(Value::from(number.or(default).unwrap_or(0.0)))
}

fn length(value: &Value) -> Result<usize, Error> {
    value
        .len()
        .ok_or_else(|| invalid(format!("{} has no length", value.kind())))
}

fn get(value: &Value, key: &Value, default: Option<Value>) -> Value {
    let found = value
        .get_item(key)
        .ok()
        .filter(|found| !found.is_undefined());
    found.or(default).unwrap_or_else(|| Value::from(()))
}

fn values(value: &Value) -> Result<Value, Error> {
    let keys = value.try_iter()?;
    keys.map(|key| value.get_item(&key))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::from)
}

fn b64encode(value: &Value) -> Result<String, Error> {
    let text = defined(value)?;
    Ok(match (text.as_bytes(), text.as_str()) {
        (_, Some(text)) => STANDARD.encode(text),
        (Some(bytes), None) => STANDARD.encode(bytes),
        (None, None) => STANDARD.encode(tojson(text, None)?),
    })
}

fn b64decode(text: &str) -> Result<String, Error> {
    let bytes = STANDARD
        .decode(text.trim())
        .map_err(|error| invalid(format!("the text is not base64: {error}")))?;
    if bytes.len() > MAX_TEXT {
        return Err(invalid("the decoded text is longer than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("the decoded bytes are not UTF-8 text"))
}

/// `step.result`: a key of that name where there is one, else the result itself.
fn result_of(value: &Value, key: &str) -> Value {
    if value.is_undefined() {
        return Value::UNDEFINED;
    }
    if value.kind() != ValueKind::Map {
        return if value.is_none() {
            Value::UNDEFINED
        } else {
            value.clone()
        };
    }
    value.get_attr(key).unwrap_or(Value::UNDEFINED)
}

/// A value as Python would print it.
pub(super) fn python_literal(json: &Json) -> String {
    match json {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        // JSON's escapes are Python's as well.
        Json::String(_) => json.to_string(),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(python_literal).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    format!("{}: {}", Json::from(key.as_str()), python_literal(value))
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// The plain value behind a step's result.
fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    refuse_reference(value)?;
    Ok(value
        .downcast_object_ref::<StepResult>()
        .map_or(value, StepResult::inner))
}

/// References to secrets are no text: only a tool's own fields see what they stand for.
pub(super) fn refuse_reference(value: &Value) -> Result<(), Error> {
    if reference::is_reference(value) {
        return Err(no_text());
    }
    Ok(())
}

/// The same for text that an operator or a filter has made of one already.
pub(super) fn refuse_spelled_reference(value: &Value) -> Result<(), Error> {
    if value.as_str().is_some_and(reference::is_spelled_in) {
        return Err(no_text());
    }
    Ok(())
}

fn no_text() -> Error {
    invalid(
        "a secret is known only to the fields of a tool; hand it on as it is, and build the text there",
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}
