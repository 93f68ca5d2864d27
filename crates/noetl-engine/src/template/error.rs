//! Errors of templates: of ones that do not parse, and of ones that cannot be evaluated.

use std::fmt::Write as _;

use minijinja::{Error, ErrorKind};

use super::concat;
use super::environment::Scope;
use super::names::required_roots;
use noetl_api::Failure;
use noetl_api::Place;

/// Why a text is not a template.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Line inside the text, from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl SyntaxError {
    pub(super) fn of(error: &Error) -> Self {
        Self {
            line: error.line().unwrap_or(1),
            message: detail(error),
        }
    }
}

/// Returns the failure of a template that could not be evaluated, with the place and the name that has
/// no value.
pub(super) fn failure(error: &Error, text: &str, scope: &Scope, place: &Place) -> Failure {
    let mut place = place.clone();
    let inside = error.line().unwrap_or(1).saturating_sub(1);
    if inside > 0 {
        place.line += inside;
        place.column = 0;
    }
    if error.kind() != ErrorKind::UndefinedError {
        let message = format!("the template failed: {}", detail(error));
        return Failure::new("template", message).at(&place);
    }
    let unknown: Vec<String> = required_roots(text)
        .into_iter()
        .filter(|name| !scope.contains_key(name))
        .collect();
    match unknown.first() {
        Some(name) => unknown_name(name).at(&place),
        None => {
            let expression = error
                .range()
                .zip(error.template_source())
                .and_then(|(range, source)| source.get(range))
                .filter(|source| !source.contains(concat::FILTER))
                .map_or_else(|| shorten(text), shorten);
            Failure::new("template", format!("`{expression}` has no value"))
                .help("write `… | default(…)` if it may be missing")
                .at(&place)
        }
    }
}

/// Returns the failure for a name that is not defined.
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
        text = if text.contains("syntax") {
            String::new()
        } else {
            text + ": "
        };
        // Writing to a string cannot fail.
        write!(text, "{detail}").unwrap_or_default();
    }
    text
}
