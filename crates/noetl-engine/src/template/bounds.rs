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
/// The most memory of one value as JSON, in bytes.
const MAX_BYTES: usize = 64 << 20;
/// The memory of a value beside its text.
const VALUE_BYTES: usize = size_of::<Json>();
/// The memory of an entry of a mapping beside its key and value: its hash and its place in the index.
const ENTRY_BYTES: usize = size_of::<String>() + 24;
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

/// Returns the greatest number in a text for `format`, such as a width. Fails when it has more than five digits.
pub(super) fn greatest_width(text: &str) -> Result<usize, Error> {
    let numbers = text.split(|sign: char| !sign.is_ascii_digit());
    let mut greatest = 0;
    for number in numbers.filter(|number| !number.is_empty()) {
        let width = number.parse().ok().filter(|_| number.len() <= 5);
        greatest = greatest.max(width.ok_or_else(|| too_large("the format is too wide"))?);
    }
    Ok(greatest)
}

/// Returns a value as JSON; fails when it is too large or nests too deep.
pub(super) fn json(value: &Value) -> Result<Json, Error> {
    walk(value, MAX_DEPTH, &mut MAX_BYTES.clone())
}

fn walk(value: &Value, depth: usize, left: &mut usize) -> Result<Json, Error> {
    spend(left, VALUE_BYTES + value.as_str().map_or(0, json_length))?;
    if depth == 0 {
        return Err(too_large("the value nests too deep"));
    }
    match value.kind() {
        ValueKind::Map => {
            let mut entries = Map::new();
            for key in value.try_iter()? {
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                spend(left, ENTRY_BYTES + name.len())?;
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

/// Returns how long a text is as JSON, where control characters take six bytes.
fn json_length(text: &str) -> usize {
    let length = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

fn spend(left: &mut usize, bytes: usize) -> Result<(), Error> {
    *left = left
        .checked_sub(bytes)
        .ok_or_else(|| too_large("the value is too large"))?;
    Ok(())
}

fn too_large(message: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_owned())
}
