//! Filters that minijinja lacks, or that it defines differently from Jinja2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Serialize as _;
use serde_json::Value as Json;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::bounds;
use super::convert::{from_json, to_json};
use super::now;
use super::paid_text;
use super::result::StepResult;
use super::texts;
use crate::bounded_json::{self, JsonError};
use crate::secret_reference;

/// The longest text that a filter or an operator may build, in bytes.
const MAX_TEXT: usize = 64 << 20;
/// The most spaces of an indent of `tojson`.
const MAX_INDENT: usize = 16;

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
    environment.add_filter("forceescape", minijinja::filters::escape);
    texts::install(environment);
    now::install(environment);
    paid_text::install(environment);
    environment.add_filter("b64encode", b64encode);
    environment.add_filter("b64decode", b64decode);
    environment.add_filter("result_of", result_of);
}

/// Returns plain JSON: without the escapes for HTML, which shells and services do not understand.
fn tojson(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    let json = bounds::json(defined(value)?)?;
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    options.assert_all_used()?;
    let Some(indent) = indent else {
        return Ok(json.to_string());
    };
    let indent = " ".repeat(indent.min(MAX_INDENT));
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    json.serialize(&mut Serializer::with_formatter(&mut text, formatter))
        .map_err(|error| invalid(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub(super) fn fromjson(text: &str) -> Result<Value, Error> {
    match bounded_json::parse(text.as_bytes()) {
        Ok(json) => Ok(from_json(&json)),
        Err(JsonError::Invalid(error)) => Err(invalid(format!("the text is not JSON: {error}"))),
        Err(error @ JsonError::TooLarge) => Err(invalid(format!("the text is not read: {error}"))),
    }
}

/// Returns a whole number. As in Jinja2, text that is not a number gives the default, else 0.
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
        (None, None) => STANDARD.encode(bounds::json(text)?.to_string()),
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

/// Returns the value of `step.result`: the key of that name in a mapping, else the result itself.
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

/// Returns a value as a Python literal.
pub(super) fn python_literal(json: &Json) -> String {
    match json {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        // JSON's escapes are valid in Python, too.
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

/// Returns the plain value of a step's result. Fails for undefined values and references to secrets.
fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    refuse_reference(value)?;
    Ok(value
        .downcast_object_ref::<StepResult>()
        .map_or(value, StepResult::inner))
}

/// Fails for a reference to a secret: only the tool that uses it gets the secret itself.
pub(super) fn refuse_reference(value: &Value) -> Result<(), Error> {
    if secret_reference::is_reference(value) {
        return Err(reference_in_text());
    }
    Ok(())
}

/// Fails for a text that an operator or a filter has made of a reference.
pub(super) fn refuse_reference_in_text(value: &Value) -> Result<(), Error> {
    if value.as_str().is_some_and(secret_reference::is_within) {
        return Err(reference_in_text());
    }
    Ok(())
}

fn reference_in_text() -> Error {
    invalid(
        "a secret cannot be part of a text outside a tool's own fields; pass it on as it is, and build the text there",
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}
