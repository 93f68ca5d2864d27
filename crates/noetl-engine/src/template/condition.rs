//! Conditions: `when`, in the forms that three dialects have.

use std::cmp::Ordering;

use minijinja::{Error, Value};
use serde_json::Value as Json;

use super::convert::from_json;
use super::environment::{LENIENT, Scope, expression, template};
use super::error::{failure, unknown_name};
use super::names::{is_template, required_roots};
use super::source;
use super::token::{Segment, code_tokens, segments, tokens};
use super::truth::{truth, truth_of_text};
use crate::field::Field;
use noetl_api::Failure;

/// Stands for a template's value while a condition is split into words.
const MARK: char = '\u{fdd0}';

/// Names that every condition may use, whether or not they have a value at its evaluation.
const EVALUATION_NAMES: [&str; 21] = [
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

/// Returns the names that have a value at some evaluations and none at others.
pub(crate) fn evaluation_names() -> impl Iterator<Item = &'static str> {
    EVALUATION_NAMES.into_iter()
}

/// Whether a condition holds.
///
/// # Errors
/// A failure of kind `template` when it uses a name that is not defined, or cannot be evaluated.
pub(crate) fn holds(field: &Field, scope: &Scope) -> Result<bool, Failure> {
    let text = match &field.value {
        Json::String(text) => text,
        other => return Ok(truth(&from_json(other))),
    };
    let source = if is_template(text) {
        text.clone()
    } else {
        format!("{{{{ {text} }}}}")
    };
    if let (false, Some(truth)) = (is_template(text), truth_of_text(text)) {
        return Ok(truth);
    }
    for name in required_roots(&source) {
        if !scope.contains_key(&name) && !EVALUATION_NAMES.contains(&name.as_str()) {
            return Err(unknown_name(&name).at(&field.place));
        }
    }
    if compares_nothing(field, &source, scope) {
        return Ok(false);
    }
    let context = Value::from(scope.clone());
    let prepared = source::prepare(&source);
    let evaluated = match source::single_expression(&prepared) {
        Some(code) => expression(&LENIENT, code)
            .and_then(|compiled| compiled.eval(context.clone()))
            .map(|value| truth(&value)),
        None => words_hold(&prepared, &context),
    };
    evaluated.map_err(|error| failure(&error, &source, scope, &field.place))
}

/// Whether a condition compares by `<` or `>` and one of its values is not there. minijinja orders undefined before every
/// number, so that `{{ step.n <= 5 }}` would hold for a step that failed. With `or`, another part may decide.
fn compares_nothing(field: &Field, source: &str, scope: &Scope) -> bool {
    let tokens = code_tokens(source);
    let has = |word: &str| tokens.iter().any(|token| token.text == word);
    if source.contains("{%") || !(has("<") || has(">")) || has("or") {
        return false;
    }
    field.paths.iter().any(|path| {
        let mut keys = path.iter();
        let first = keys.next().and_then(|name| scope.get(name));
        let found = first.map(|value| {
            keys.fold(value.clone(), |value, key| {
                value
                    .get_item(&Value::from(key.as_str()))
                    .unwrap_or_default()
            })
        });
        found.is_none_or(|found| found.is_undefined())
            && !source::is_optional(&tokens, &path.join("."))
    })
}

/// Evaluates `{{ workload.action }} == deploy`: words compared as text. The value of a template is one
/// word whatever it holds; an operator inside it is not an operator of the condition.
fn words_hold(text: &str, context: &Value) -> Result<bool, Error> {
    if text.contains("{%") {
        let text = template(&LENIENT, text)?.render(context.clone())?;
        return Ok(truth_of_text(&text).unwrap_or(!text.trim().is_empty()));
    }
    let mut outline = Outline::default();
    for segment in segments(text) {
        match segment {
            Segment::Text(text) | Segment::Comment(text) => outline.push_text(text),
            segment => {
                let value = template(&LENIENT, segment.text())?.render(context.clone())?;
                outline.push_value(value);
            }
        }
    }
    Ok(outline.holds())
}

/// The text of a condition in which marks stand for values.
#[derive(Default)]
struct Outline {
    text: String,
    /// The values in the order of their marks.
    values: Vec<String>,
}

impl Outline {
    fn push_value(&mut self, value: String) {
        self.text.push(MARK);
        self.values.push(value);
    }

    /// Adds text between templates; quoted text is one word, operators in it included.
    fn push_text(&mut self, text: &str) {
        let mut copied = 0;
        for token in tokens(text) {
            let Some(quoted) = token.quoted_text().filter(|_| !token.text.starts_with('`')) else {
                continue;
            };
            self.text.push_str(&text[copied..token.start]);
            self.push_value(quoted.to_owned());
            copied = token.start + token.text.len();
        }
        self.text.push_str(&text[copied..]);
    }

    /// Evaluates all comparisons from left to right, so that every mark gets its own value.
    fn holds(self) -> bool {
        let mut values = self.values.into_iter();
        let mut any = false;
        for part in self.text.split(" or ") {
            let mut all = true;
            for part in part.split(" and ") {
                all &= comparison_holds(part, &mut values);
            }
            any |= all;
        }
        any
    }
}

fn comparison_holds(text: &str, values: &mut impl Iterator<Item = String>) -> bool {
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
