//! Templates: Jinja2 as playbooks write it, evaluated by minijinja.
//!
//! A string that is exactly one `{{ expression }}` keeps the value's own type; every other template is
//! text. A name that nothing defines is an error in both, and the error says where.

mod bounds;
mod condition;
mod filters;
mod known;
mod names;
mod result;
mod source;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{
    Environment, Error, ErrorKind, Expression, Output, State, Template, UndefinedBehavior, Value,
};
use serde_json::Value as Json;

pub(crate) use condition::{check_condition, holds, moment_names};
pub(crate) use names::{required_names, required_roots, roots};
pub(crate) use result::StepResult;

use crate::playbook::Field;
use crate::problem::Place;
use crate::tool::Failure;

/// The names that a template may use, with their values.
pub(crate) type Scope = BTreeMap<String, Value>;

/// Steps of evaluation that one template may take.
const FUEL: u64 = 5_000_000;
/// The longest text that a template may come from or give, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// Why a text is not a template.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Line inside the text, from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// How values look inside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `true`, `null`, `{"a": 1}`: for shells, SQL and JSON bodies.
    Json,
    /// The same, for arguments: one that is written as JSON, `{{ rows | tojson }}`, is the value itself.
    Data,
    /// `True`, `None`, `{'a': 1}`: for Python code.
    Python,
}

static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::SemiStrict, Style::Json));
static PYTHON: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::SemiStrict, Style::Python));

fn environment(undefined: UndefinedBehavior, style: Style) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(|state, value, method, args| {
        // It pads to any width before it counts what that costs.
        if let (Some(text), "format") = (value.as_str(), method) {
            bounds::widths(text)?;
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
    });
    environment.set_formatter(move |output, state, value| format(output, state, value, style));
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are sound"));
    // It lets a loop nest a value deeper than dropping it has stack for.
    environment.remove_global("namespace");
    filters::install(&mut environment);
    environment
}

fn format(
    output: &mut Output<'_>,
    state: &State<'_, '_>,
    value: &Value,
    style: Style,
) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(match state.undefined_behavior() {
            UndefinedBehavior::Chainable | UndefinedBehavior::Lenient => return Ok(()),
            _ => Error::from(ErrorKind::UndefinedError),
        });
    }
    if let Some(text) = value.as_str() {
        return Ok(output.write_str(text)?);
    }
    filters::refuse_reference(value)?;
    let text = match style {
        Style::Json | Style::Data => bounds::json(value)?.to_string(),
        Style::Python => filters::python_literal(&bounds::json(value)?),
    };
    Ok(output.write_str(&text)?)
}

/// Whether a string has anything to evaluate.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Whether a string is a template that parses, and whose filters and tests exist.
///
/// # Errors
/// The first place at which it does not.
pub(crate) fn check(text: &str) -> Result<(), SyntaxError> {
    let source = source::prepare(text);
    let failed = match source::single_expression(&source) {
        Some(expression) => self::expression(&STRICT, expression).map(drop).err(),
        None => template(&STRICT, &source).map(drop).err(),
    };
    match failed {
        None => known::check(&source),
        Some(error) => Err(SyntaxError {
            line: error.line().unwrap_or(1),
            message: detail(&error),
        }),
    }
}

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

/// Evaluates every template in a value that stands in no playbook.
///
/// # Errors
/// A failure of kind `template`.
pub fn render_value(value: &Json, names: &serde_json::Map<String, Json>) -> Result<Json, Failure> {
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
        _ => render(field, scope, Style::Json).map(|json| Value::from(Serde(&json))),
    }
}

struct Renderer<'a> {
    field: &'a Field,
    scope: &'a Scope,
    context: Value,
    style: Style,
}

impl Renderer<'_> {
    fn json(&self, value: &Json, below: &str) -> Result<Json, Failure> {
        match value {
            Json::String(text) if is_template(text) => {
                // Only the code itself is Python; a field beside it is data.
                let style = if matches!(below, "code" | "") {
                    self.style
                } else {
                    Style::Json
                };
                evaluate(text, &self.context, style)
                    .map(|value| to_json(&value))
                    .map_err(|error| failure(&error, text, self.scope, &self.place(below)))
            }
            Json::Array(items) => items
                .iter()
                .enumerate()
                .map(|(position, item)| self.json(item, &index(below, position)))
                .collect(),
            Json::Object(entries) => entries
                .iter()
                .map(|(name, item)| Ok((name.clone(), self.json(item, &key(below, name))?)))
                .collect::<Result<serde_json::Map<_, _>, Failure>>()
                .map(Json::Object),
            other => Ok(other.clone()),
        }
    }

    fn place(&self, below: &str) -> Place {
        let mut place = self.field.place.clone();
        if let Some(line) = self.field.lines.get(below) {
            place.line = *line;
            place.column = 0;
        }
        if !below.is_empty() {
            let separator = if below.starts_with('[') { "" } else { "." };
            let above = place.field.take().unwrap_or_default();
            place.field = Some(format!("{above}{separator}{below}"));
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
    let environment = match style {
        Style::Json | Style::Data => &*STRICT,
        Style::Python => &*PYTHON,
    };
    let source = source::prepare(text);
    if let Some(expression) = source::single_expression(&source)
        && style != Style::Python
    {
        let value = self::expression(environment, expression)?.eval(context.clone())?;
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        filters::refuse_spelled_reference(&value)?;
        let json = bounds::json(&value)?;
        if let (Style::Data, Some(text)) = (style, value.as_str())
            && source::ends_as_json(expression)
        {
            // `'x: ' ~ rows | tojson` is text that ends in JSON.
            return Ok(filters::fromjson(text).unwrap_or(value));
        }
        // What can be walked only once has been.
        let walked = value.kind() == ValueKind::Iterable;
        return Ok(if walked { from_json(&json) } else { value });
    }
    let text = Value::from(template(environment, &source)?.render(context.clone())?);
    filters::refuse_spelled_reference(&text)?;
    Ok(text)
}

/// Compiles an expression that is not too long for that.
fn expression<'e>(
    environment: &'e Environment<'_>,
    text: &'e str,
) -> Result<Expression<'e, 'e>, Error> {
    bounds::expression(text)?;
    environment.compile_expression(text)
}

/// Compiles a template that is not too long for that.
fn template<'e>(
    environment: &'e Environment<'_>,
    text: &'e str,
) -> Result<Template<'e, 'e>, Error> {
    bounds::template(text)?;
    environment.template_from_str(text)
}

/// Says of a failed template what has no value, and where.
fn failure(error: &Error, text: &str, scope: &Scope, place: &Place) -> Failure {
    let mut place = place.clone();
    let inside = error.line().unwrap_or(1).saturating_sub(1);
    if inside > 0 {
        place.line += inside;
        place.column = 0;
    }
    if error.kind() != ErrorKind::UndefinedError {
        return Failure::new(
            "template",
            format!("the template failed: {}", detail(error)),
        )
        .at(&place);
    }
    let unknown: Vec<String> = required_roots(text)
        .into_iter()
        .filter(|name| !scope.contains_key(name))
        .collect();
    match unknown.first() {
        Some(name) => unknown_name(name).at(&place),
        None => {
            let what = error
                .range()
                .zip(error.template_source())
                .and_then(|(range, source)| source.get(range))
                .map_or_else(|| shorten(text), shorten);
            Failure::new("template", format!("`{what}` has no value"))
                .help("write `… | default(…)` if it may be missing")
                .at(&place)
        }
    }
}

/// The failure for a name that nothing defines.
pub(crate) fn unknown_name(name: &str) -> Failure {
    Failure::new("template", format!("unknown name `{name}`")).help(format!(
        "define it in `workload`, give it with `--set {name}=…`, or correct it"
    ))
}

fn shorten(text: &str) -> String {
    let text = text
        .trim()
        .trim_start_matches("{{")
        .trim_end_matches("}}")
        .trim();
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn detail(error: &Error) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        // Writing to a string cannot fail.
        text = if text.contains("syntax") {
            String::new()
        } else {
            text + ": "
        };
        write!(text, "{detail}").unwrap_or_default();
    }
    text
}

/// A value as JSON; what JSON cannot say is text.
pub(crate) fn to_json(value: &Value) -> Json {
    if value.is_undefined() || value.is_none() {
        return Json::Null;
    }
    serde_json::to_value(value).unwrap_or_else(|_| Json::String(value.to_string()))
}

/// JSON as a value for templates.
pub(crate) fn from_json(json: &Json) -> Value {
    Value::from(Serde(json))
}

/// The path of an item below a value.
pub(crate) fn index(below: &str, position: usize) -> String {
    format!("{below}[{position}]")
}

/// The path of an entry below a value.
pub(crate) fn key<'a>(below: &str, name: &'a str) -> Cow<'a, str> {
    if below.is_empty() {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{below}.{name}"))
    }
}
