//! Checks of templates before anything runs: syntax, and the names of filters and tests.

use minijinja::{Environment, ErrorKind};

use super::environment::{LENIENT, STRICT, expression, template};
use super::error::SyntaxError;
use super::source;
use super::token::{Segment, Token, TokenKind, segments, tokens};
use super::truth::truth_of_text;

/// Checks that a string is a template that parses, and whose filters and tests exist.
///
/// # Errors
/// Fails at the first place where it does not.
pub(crate) fn check(text: &str) -> Result<(), SyntaxError> {
    let source = source::prepare(text);
    let compiled = match source::single_expression(&source) {
        Some(code) => expression(&STRICT, code).map(drop),
        None => template(&STRICT, &source).map(drop),
    };
    compiled.map_err(|error| SyntaxError::of(&error))?;
    let mut start = 0;
    for segment in segments(&source) {
        if let Some(code) = segment.code() {
            check_names(code).map_err(|error| SyntaxError {
                line: error.line + lines_before(&source, start),
                ..error
            })?;
        }
        start += Segment::text(segment).len();
    }
    Ok(())
}

/// Checks that a condition written without braces parses: `workload.env == 'prod'`.
///
/// # Errors
/// Fails at the first place where it does not.
pub(crate) fn check_condition(text: &str) -> Result<(), SyntaxError> {
    if truth_of_text(text).is_some() {
        return Ok(());
    }
    expression(&LENIENT, text.trim()).map_err(|error| SyntaxError::of(&error))?;
    check_names(text)
}

/// Checks that the filters and tests that an expression names exist.
fn check_names(code: &str) -> Result<(), SyntaxError> {
    let mut previous = ["", ""];
    for token in tokens(code).filter(is_operand) {
        let (noun, missing) = match previous {
            [_, "|"] => ("filter", ErrorKind::UnknownFilter),
            ["is", "not"] | [_, "is"] if token.text != "not" => ("test", ErrorKind::UnknownTest),
            _ => ("", ErrorKind::SyntaxError),
        };
        let starts_name = |first: char| first == '_' || first.is_alphabetic();
        let is_name = token.kind == TokenKind::Word && token.text.starts_with(starts_name);
        if !noun.is_empty() && is_name && !exists(&STRICT, noun, token.text, missing) {
            return Err(SyntaxError {
                line: 1 + lines_before(code, token.start),
                message: format!("there is no {noun} `{}`", token.text),
            });
        }
        previous = [previous[1], token.text];
    }
    Ok(())
}

/// Whether a token is more than a part of the braces around the code.
fn is_operand(token: &Token<'_>) -> bool {
    !matches!(token.text, "%" | "-" | "{" | "}")
}

fn lines_before(text: &str, end: usize) -> usize {
    text[..end].matches('\n').count()
}

fn exists(environment: &Environment<'_>, noun: &str, name: &str, missing: ErrorKind) -> bool {
    let probe = match noun {
        "filter" => format!("none|{name}"),
        _ => format!("none is {name}"),
    };
    let tried = environment
        .compile_expression(&probe)
        .and_then(|probe| probe.eval(()));
    tried.err().is_none_or(|error| error.kind() != missing)
}
