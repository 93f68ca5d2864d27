//! Evaluation of the templates in a value.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};

use super::convert::{from_json, into_value, to_json};
use super::environment::{self, LENIENT, PYTHON, STRICT, Scope, Style};
use super::error::failure;
use super::names::{is_template, required_roots};
use super::result::StepResult;
use super::{bounds, filters, source};
use crate::field::Field;
use crate::path;
use noetl_api::Failure;
use noetl_api::Place;

/// The longest text that a template may come from, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// Evaluates every template in a field.
///
/// # Errors
/// A failure of kind `template` with the place of the template.
pub(crate) fn render(field: &Field, scope: &Scope, style: Style) -> Result<Json, Failure> {
    let context = Value::from(scope.clone());
    let renderer = Renderer {
        field,
        scope,
        context,
        style,
    };
    renderer.json(&field.value, "")
}

/// Evaluates every template in a field as [`render`] does. The value of a field that is one template is shared, not copied.
///
/// # Errors
/// A failure of kind `template` with the place of the template.
pub(crate) fn render_shared(field: &Field, scope: &Scope, style: Style) -> Result<Value, Failure> {
    let renderer = Renderer {
        field,
        scope,
        context: Value::from(scope.clone()),
        style,
    };
    match &field.value {
        Json::String(text) if is_template(text) => {
            let value = renderer.text(text, "")?;
            let plain = value.downcast_object_ref::<StepResult>();
            let value = plain.map_or_else(|| value.clone(), |result| result.inner().clone());
            // What JSON cannot express becomes text.
            Ok(match value.kind() {
                ValueKind::String | ValueKind::Map | ValueKind::Seq | ValueKind::Number => value,
                _ => from_json(&to_json(&value)),
            })
        }
        whole => renderer.json(whole, "").map(into_value),
    }
}

/// Evaluates every template in a value that is not part of a playbook.
///
/// # Errors
/// A failure of kind `template`.
pub fn render_value(value: &Json, names: &Map<String, Json>) -> Result<Json, Failure> {
    let scope = names
        .iter()
        .map(|(name, value)| (name.clone(), from_json(value)))
        .collect();
    render(
        &Field::plain("template", value.clone()),
        &scope,
        Style::Json,
    )
}

/// Evaluates a field that is one template, and keeps objects as they are.
///
/// # Errors
/// A failure of kind `template` with the place of the template.
pub(crate) fn value(field: &Field, scope: &Scope) -> Result<Value, Failure> {
    match &field.value {
        Json::String(text) if is_template(text) => {
            let context = Value::from(scope.clone());
            evaluate(text, &context, Style::Json)
                .map_err(|error| failure(&error, text, scope, &field.place))
        }
        _ => render(field, scope, Style::Json).map(|json| from_json(&json)),
    }
}

struct Renderer<'a> {
    field: &'a Field,
    scope: &'a Scope,
    context: Value,
    style: Style,
}

impl Renderer<'_> {
    /// Evaluates the value at `path` within the field.
    fn json(&self, value: &Json, path: &str) -> Result<Json, Failure> {
        match value {
            Json::String(text) if is_template(text) => {
                self.text(text, path).map(|value| to_json(&value))
            }
            Json::Array(items) => items
                .iter()
                .enumerate()
                .map(|(position, item)| self.json(item, &path::index(path, position)))
                .collect(),
            Json::Object(entries) => entries
                .iter()
                .map(|(name, item)| Ok((name.clone(), self.json(item, &path::key(path, name))?)))
                .collect::<Result<Map<_, _>, Failure>>()
                .map(Json::Object),
            other => Ok(other.clone()),
        }
    }

    /// Evaluates the template at `path`.
    fn text(&self, text: &str, path: &str) -> Result<Value, Failure> {
        // Only the code itself is Python; a field beside it is data.
        let style = match path {
            "code" | "" => self.style,
            _ => Style::Json,
        };
        evaluate(text, &self.context, style)
            .or_else(|error| self.without_step(error, text))
            .map_err(|error| failure(&error, text, self.scope, &self.place(path)))
    }

    /// Evaluates a template again whose error is that a step was not taken: what it lacks is nothing then.
    fn without_step(&self, error: Error, text: &str) -> Result<Value, Error> {
        let is_missing = |name: &String| self.scope.get(name).is_some_and(Value::is_undefined);
        let is_of_step = error.kind() == ErrorKind::UndefinedError
            && required_roots(text).iter().any(is_missing);
        if !is_of_step {
            return Err(error);
        }
        let source = source::prepare(text);
        match source::single_expression(&source) {
            Some(code) => environment::expression(&LENIENT, code)?.eval(self.context.clone()),
            None => {
                let text = environment::template(&LENIENT, &source)?;
                text.render(self.context.clone()).map(Value::from)
            }
        }
    }

    fn place(&self, path: &str) -> Place {
        let mut place = self.field.place.clone();
        if let Some(line) = self.field.lines.get(path) {
            place.line = *line;
            place.column = 0;
        }
        if !path.is_empty() {
            let field = place.field.take().unwrap_or_default();
            place.field = Some(path::join(&field, path));
        }
        place
    }
}

fn evaluate(text: &str, context: &Value, style: Style) -> Result<Value, Error> {
    if text.len() > MAX_TEXT {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "the template is longer than 64 MiB",
        ));
    }
    let source = source::prepare(text);
    if let Some(code) = source::single_expression(&source)
        && style != Style::Python
    {
        return evaluate_expression(code, context, style);
    }
    let environment = match style {
        Style::Json | Style::Data => &*STRICT,
        Style::Python => &*PYTHON,
    };
    let text = environment::template(environment, &source)?.render(context.clone())?;
    let text = Value::from(text);
    filters::refuse_reference_in_text(&text)?;
    Ok(text)
}

fn evaluate_expression(code: &str, context: &Value, style: Style) -> Result<Value, Error> {
    let value = environment::expression(&STRICT, code)?.eval(context.clone())?;
    if value.is_undefined() {
        // As text it is an error, but for an `if` without `else`, which is empty.
        let text = environment::template(&STRICT, &format!("{{{{ {code} }}}}"))?.render(context)?;
        return Ok(Value::from(text));
    }
    filters::refuse_reference_in_text(&value)?;
    let json = bounds::json(&value)?;
    if let (Style::Data, Some(text)) = (style, value.as_str())
        && source::ends_as_json(code)
    {
        // `'x: ' ~ rows | tojson` is text that ends in JSON.
        return Ok(filters::fromjson(text).unwrap_or(value));
    }
    // An iterator can be read once, and `bounds::json` has done so.
    let is_iterator = value.kind() == ValueKind::Iterable;
    Ok(if is_iterator { from_json(&json) } else { value })
}
