//! Bounds on templates: how much code one may hold, and how large a value it may give.
//!
//! minijinja's fuel bounds how long a template runs. It bounds neither the stack that parsing takes nor
//! values that are cheap to build and expensive to write, such as a list that holds the same list twice,
//! many levels deep.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};

use super::convert::to_json;
use super::token::{Segment, segments, tokens};

/// The most tokens between one pair of braces: each may take a frame of the parser's stack.
const MAX_TOKENS: usize = 2_000;
/// The most blocks in one template: chains of `elif` nest as well.
const MAX_BLOCKS: usize = 1_000;
/// The most values inside one value; sixteen bytes of text count as one.
const MAX_VALUES: usize = 4_000_000;
/// How deep values may nest.
const MAX_DEPTH: usize = 128;

/// Checks that a template is small enough to be parsed.
pub(super) fn check_template(text: &str) -> Result<(), Error> {
    if text.matches("{%").count() > MAX_BLOCKS {
        return Err(too_large("the template has too many blocks"));
    }
    segments(text)
        .filter_map(Segment::code)
        .try_for_each(check_expression)
}

/// Checks that an expression is small enough to be parsed.
pub(super) fn check_expression(text: &str) -> Result<(), Error> {
    if tokens(text).nth(MAX_TOKENS).is_some() {
        return Err(too_large("the expression is too long"));
    }
    Ok(())
}

/// Checks that a text for `str.format` has no width of more than five digits.
pub(super) fn check_widths(text: &str) -> Result<(), Error> {
    let mut numbers = text.split(|sign: char| !sign.is_ascii_digit());
    if numbers.any(|width| width.len() > 5) {
        return Err(too_large("the format is too wide"));
    }
    Ok(())
}

/// Returns a value as JSON; fails when it is too large or nests too deep.
pub(super) fn json(value: &Value) -> Result<Json, Error> {
    walk(value, MAX_DEPTH, &mut MAX_VALUES.clone())
}

fn walk(value: &Value, depth: usize, left: &mut usize) -> Result<Json, Error> {
    let text = value.as_str().map_or(0, str::len) / 16;
    *left = left
        .checked_sub(1 + text)
        .ok_or_else(|| too_large("the value is too large"))?;
    if depth == 0 {
        return Err(too_large("the value nests too deep"));
    }
    match value.kind() {
        ValueKind::Map => {
            let mut entries = Map::new();
            for key in value.try_iter()? {
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                entries.insert(name, walk(&value.get_item(&key)?, depth - 1, left)?);
            }
            Ok(Json::Object(entries))
        }
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()?
            .map(|item| walk(&item, depth - 1, left))
            .collect(),
        _ => Ok(to_json(value)),
    }
}

fn too_large(message: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_owned())
}
