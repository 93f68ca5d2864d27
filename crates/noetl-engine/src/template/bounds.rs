//! Bounds on templates: how much code one may hold, and how large a value it may give.
//!
//! The engine's fuel bounds how long a template runs. It knows nothing of the stack that parsing takes, nor
//! of values that are small to build and endless to write, such as a list of itself and itself.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};

/// The most words and signs between one pair of braces: each may take a frame of the parser's stack.
const MAX_TOKENS: usize = 2_000;
/// The most blocks in one template: chains of `elif` nest as well.
const MAX_BLOCKS: usize = 1_000;
/// The most values inside one value; sixteen bytes of text count as one.
const MAX_VALUES: usize = 4_000_000;
/// How deep values may nest.
const MAX_DEPTH: usize = 128;

/// Whether a template is small enough to be parsed.
pub(super) fn template(text: &str) -> Result<(), Error> {
    if text.matches("{%").count() > MAX_BLOCKS {
        return Err(too_much("the template has too many blocks"));
    }
    let mut at = 0;
    while let Some(start) = text[at..].find('{').map(|found| at + found) {
        at = start + 1;
        if text[start..].starts_with("{{") || text[start..].starts_with("{%") {
            at = start + super::source::closing(&text[start..]);
            expression(&text[start..at])?;
        }
    }
    Ok(())
}

/// Whether an expression is small enough to be parsed.
pub(super) fn expression(text: &str) -> Result<(), Error> {
    let (mut tokens, mut quote, mut escaped, mut word) = (0_usize, None, false, false);
    for byte in text.bytes() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => {
                let inside = byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii();
                tokens += usize::from(!byte.is_ascii_whitespace() && (!inside || !word));
                word = inside;
                quote = matches!(byte, b'\'' | b'"').then_some(byte);
            }
        }
    }
    if tokens > MAX_TOKENS {
        return Err(too_much("the expression is too long"));
    }
    Ok(())
}

/// Whether the widths in a text for `str.format` are ones that a person would read.
pub(super) fn widths(text: &str) -> Result<(), Error> {
    match text
        .split(|sign: char| !sign.is_ascii_digit())
        .any(|width| width.len() > 5)
    {
        true => Err(too_much("the format is too wide")),
        false => Ok(()),
    }
}

/// A value as JSON, if it is not too large for that.
pub(super) fn json(value: &Value) -> Result<Json, Error> {
    walk(value, MAX_DEPTH, &mut MAX_VALUES.clone())
}

fn walk(value: &Value, depth: usize, left: &mut usize) -> Result<Json, Error> {
    let text = value.as_str().map_or(0, str::len) / 16;
    *left = left
        .checked_sub(1 + text)
        .ok_or_else(|| too_much("the value is too large"))?;
    if depth == 0 {
        return Err(too_much("the value nests too deep"));
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
        _ => Ok(super::to_json(value)),
    }
}

fn too_much(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.to_owned())
}
