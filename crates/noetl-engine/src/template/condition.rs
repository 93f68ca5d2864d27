//! Conditions: `when`, in the spellings that three dialects gave it.

use std::cmp::Ordering;
use std::sync::LazyLock;

use minijinja::{Environment, Error, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::{
    Scope, Style, SyntaxError, detail, environment, failure, is_template, required_roots, source,
};
use crate::playbook::Field;
use crate::tool::Failure;

/// Stands for a template's value while a condition's words are told apart.
const MARK: char = '\u{fdd0}';

/// A field that a value lacks is false in a condition, not an error.
static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable, Style::Json));

/// Names that every condition may ask for, whether or not the moment has them.
const MOMENT: [&str; 21] = [
    "event",
    "response",
    "result",
    "error",
    "outcome",
    "output",
    "loop",
    "iter",
    "_prev",
    "_task",
    "_attempt",
    "args",
    "input",
    "keychain",
    "ctx",
    "vars",
    "workload",
    "job",
    "execution_id",
    "loop_index",
    "catalog_id",
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
    if truth_of_text(text).is_some() {
        return Ok(());
    }
    match super::expression(&LENIENT, text.trim()) {
        Ok(_) => super::known::expression(text, 1),
        Err(error) => Err(SyntaxError {
            line: error.line().unwrap_or(1),
            message: detail(&error),
        }),
    }
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
    let template = if is_template(text) {
        text.clone()
    } else {
        format!("{{{{ {text} }}}}")
    };
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
        Some(expression) => super::expression(&LENIENT, expression)
            .and_then(|compiled| compiled.eval(context.clone()))
            .map(|value| truth(&value)),
        None => words(&prepared, &context),
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

/// `{{ workload.action }} == deploy`: words compared as they stand. What a template gives is one word,
/// whatever it holds; an operator inside it is none.
fn words(text: &str, context: &Value) -> Result<bool, Error> {
    if text.contains("{%") {
        let text = super::template(&LENIENT, text)?.render(context.clone())?;
        return Ok(truth_of_text(&text).unwrap_or(!text.trim().is_empty()));
    }
    let mut values = Vec::new();
    let mut outline = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let end = start + source::closing(&rest[start..]);
        let segment = &rest[start..end];
        values.push(super::template(&LENIENT, segment)?.render(context.clone())?);
        // In the order in which their marks stand: those of the text before it come first.
        let value = values.pop().unwrap_or_default();
        plain_words(&rest[..start], &mut outline, &mut values);
        values.push(value);
        outline.push(MARK);
        rest = &rest[end..];
    }
    plain_words(rest, &mut outline, &mut values);
    let mut values = values.into_iter();
    // Left to right, so that every mark meets its own value.
    let mut any = false;
    for part in outline.split(" or ") {
        let mut all = true;
        for part in part.split(" and ") {
            all &= compare(part, &mut values);
        }
        any |= all;
    }
    Ok(any)
}

/// Text between templates: what stands in quotes is one word, whatever it says.
fn plain_words(mut text: &str, outline: &mut String, values: &mut Vec<String>) {
    while let Some(open) = text.find(['\'', '"']) {
        let (before, quoted) = text.split_at(open);
        let Some(close) = quoted[1..].find(&quoted[..1]) else {
            break;
        };
        outline.push_str(before);
        outline.push(MARK);
        values.push(quoted[1..=close].to_owned());
        text = &quoted[close + 2..];
    }
    outline.push_str(text);
}

fn compare(text: &str, values: &mut impl Iterator<Item = String>) -> bool {
    let mut word = |text: &str| {
        let filled: String = text
            .chars()
            .map(|character| match character {
                MARK => values.next().unwrap_or_default(),
                other => other.to_string(),
            })
            .collect();
        filled.trim().trim_matches(['\'', '"']).to_owned()
    };
    for (operator, holds) in [("==", true), ("!=", false)] {
        if let Some((left, right)) = text.split_once(operator) {
            return (word(left) == word(right)) == holds;
        }
    }
    // Numbers are ordered as numbers, everything else as text.
    for (operator, wanted) in [
        (">=", [Ordering::Greater, Ordering::Equal]),
        ("<=", [Ordering::Less, Ordering::Equal]),
        (">", [Ordering::Greater; 2]),
        ("<", [Ordering::Less; 2]),
    ] {
        if let Some((left, right)) = text.split_once(operator) {
            let (left, right) = (word(left), word(right));
            let numbers = left.parse::<f64>().ok().zip(right.parse::<f64>().ok());
            let order = match numbers {
                Some((left, right)) => left.partial_cmp(&right),
                None => Some(left.cmp(&right)),
            };
            return order.is_some_and(|order| wanted.contains(&order));
        }
    }
    for (operator, holds) in [(" not in ", false), (" in ", true)] {
        if let Some((left, right)) = text.split_once(operator) {
            let left = word(left);
            return word(right).contains(&left) == holds;
        }
    }
    let (text, holds) = match text.trim().strip_prefix("not ") {
        Some(text) => (text, false),
        None => (text, true),
    };
    let text = word(text);
    truth_of_text(&text).unwrap_or(!text.is_empty()) == holds
}
