//! Computes the byte range of a value. The parser counts characters; its spans begin at the anchor or tag of a value,
//! and may end after a comment, at the next token.

use std::ops::Range;

use saphyr_parser::Span;

use crate::node::Style;

/// A text, and the offset of each of its characters in bytes.
pub(crate) struct Text<'input> {
    text: &'input str,
    /// Empty when the text is ASCII.
    offsets: Vec<usize>,
}

impl<'input> Text<'input> {
    pub(crate) fn new(text: &'input str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            let starts = text.char_indices().map(|(at, _)| at);
            starts.chain([text.len()]).collect()
        };
        Self { text, offsets }
    }

    /// Returns the byte range of a span.
    pub(crate) fn bytes(&self, span: &Span) -> Range<usize> {
        let byte = |character: usize| match self.offsets.last() {
            None => character.min(self.text.len()),
            Some(end) => self.offsets.get(character).copied().unwrap_or(*end),
        };
        byte(span.start.index())..byte(span.end.index())
    }

    /// Returns the byte range of a scalar without anchor, tag and comment. Blocks and plain scalars of several lines
    /// end where their span does.
    pub(crate) fn scalar(&self, span: &Span, value: &str, style: Style) -> Range<usize> {
        let spanned = self.bytes(span);
        if style == Style::Block {
            return spanned;
        }
        let start = self.after_properties(spanned.start).min(spanned.end);
        let rest = &self.text[start..];
        let length = match style {
            Style::Plain => rest.starts_with(value).then_some(value.len()),
            Style::Quoted => quoted(rest),
            Style::Block => None,
        };
        let end = length.map_or(spanned.end, |length| start + length);
        start..end
    }

    /// Returns the offset of a value whose anchor and tag begin at `start`.
    pub(crate) fn after_properties(&self, start: usize) -> usize {
        let mut at = start;
        while self.text[at..].starts_with(['&', '!']) {
            at = self.skip(at, char::is_whitespace);
            at = self.skip_spaces(at);
            while self.text[at..].starts_with('#') {
                at = self.skip(at, |character| character == '\n');
                at = self.skip_spaces(at);
            }
        }
        at
    }

    fn skip(&self, at: usize, end: impl Fn(char) -> bool) -> usize {
        self.text[at..]
            .find(end)
            .map_or(self.text.len(), |found| at + found)
    }

    fn skip_spaces(&self, at: usize) -> usize {
        self.text.len() - self.text[at..].trim_start().len()
    }
}

/// Returns the length in bytes of the quoted scalar at the beginning of a text, including both quotes.
fn quoted(text: &str) -> Option<usize> {
    let quote = *text.as_bytes().first()?;
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == b'"' => {
                bytes.next();
            }
            // Two single quotes in a scalar mean one.
            b'\'' if quote == b'\'' && bytes.peek().is_some_and(|(_, next)| *next == b'\'') => {
                bytes.next();
            }
            byte if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
