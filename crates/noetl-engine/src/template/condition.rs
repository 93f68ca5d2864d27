//! Conditions: `when`, in the spellings that three dialects gave it.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::{Scope, Style, SyntaxError, detail, environment, failure, is_template, required_roots, source};
use crate::playbook::Field;
use crate::tool::Failure;

/// A field that a value lacks is false in a condition, not an error.
static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable, Style::Json));

/// Names that every condition may ask for, whether or not the moment has them.
const MOMENT: [&str; 21] = [
    "event", "response", "result", "error", "outcome", "output", "loop", "iter", "_prev", "_task", "_attempt",
    "args", "input", "keychain", "ctx", "vars", "workload", "job", "execution_id", "loop_index", "catalog_id",
];

/// The names that are there in one moment and not in another.
pub(crate) fn moment_names() -> impl Iterator<Item = &'static str> {
    MOMENT.into_iter()
}

/// Whether a condition written without braces parses: `workload.env == 'prod'`.
///
/// # Errors
/// The first place at which it does not.
pub(crate) fn check_condition(text: &str) -> Result<(), SyntaxError> {
    if matches!(truth_of_text(text), Some(_)) {
        return Ok(());
    }
    LENIENT.compile_expression(text.trim()).map(drop).map_err(|error| SyntaxError {
        line: error.line().unwrap_or(1),
        message: detail(&error),
    })
}

/// Whether a condition holds.
///
/// # Errors
/// A failure of kind `template` when it asks for a name that nothing defines, or cannot be evaluated.
pub(crate) fn holds(field: &Field, scope: &Scope) -> Result<bool, Failure> {
    let text = match &field.value {
        Json::String(text) => text,
        other => return Ok(truth(&super::from_json(other))),
    };
    let template = if is_template(text) { text.clone() } else { format!("{{{{ {text} }}}}") };
    if let (false, Some(truth)) = (is_template(text), truth_of_text(text)) {
        return Ok(truth);
    }
    for name in required_roots(&template) {
        if !scope.contains_key(&name) && !MOMENT.contains(&name.as_str()) {
            return Err(super::unknown_name(&name).at(&field.place));
        }
    }
    let context = Value::from(scope.clone());
    let prepared = source::prepare(&template);
    let evaluated = match source::single_expression(&prepared) {
        Some(expression) => LENIENT
            .compile_expression(expression)
            .and_then(|compiled| compiled.eval(context))
            .map(|value| truth(&value)),
        None => LENIENT
            .template_from_str(&prepared)
            .and_then(|compiled| compiled.render(context))
            .map(|text| compare(&text)),
    };
    evaluated.map_err(|error| failure(&error, &template, scope, &field.place))
}

/// A value as a condition: text counts by what it says.
fn truth(value: &Value) -> bool {
    match value.as_str() {
        Some(text) => truth_of_text(text).unwrap_or(!text.trim().is_empty()),
        None => value.is_true(),
    }
}

fn truth_of_text(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "none" | "null" | "" => Some(false),
        _ => None,
    }
}

/// `{{ workload.action }} == deploy`, with the templates filled in: words compared as they stand.
fn compare(text: &str) -> bool {
    let any = |text: &str| text.split(" and ").all(compare_one);
    text.split(" or ").any(any)
}

fn compare_one(text: &str) -> bool {
    let word = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    if let Some((left, right)) = text.split_once("==") {
        return word(left) == word(right);
    }
    if let Some((left, right)) = text.split_once("!=") {
        return word(left) != word(right);
    }
    if let Some((left, right)) = text.split_once(" not in ") {
        return !right.contains(&word(left));
    }
    if let Some((left, right)) = text.split_once(" in ") {
        return right.contains(&word(left));
    }
    if let Some(text) = text.trim().strip_prefix("not ") {
        return !compare_one(text);
    }
    truth_of_text(text).unwrap_or(!text.trim().is_empty())
}
