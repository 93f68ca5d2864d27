//! The tokenizer of templates: a text into its segments, and the code inside them into tokens.
//!
//! It finds the ends of braces, strings, comments and raw text. minijinja parses the code.

/// A part of a template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment<'t> {
    /// Text outside of all braces. `{#` is text as well in the shell's `${#name}`, and without an end.
    Text(&'t str),
    /// `{{ … }}` with its braces.
    Expression(&'t str),
    /// `{% … %}` with its braces.
    Block(&'t str),
    /// `{# … #}`.
    Comment(&'t str),
    /// The text between `{% raw %}` and `{% endraw %}`.
    Raw(&'t str),
}

impl<'t> Segment<'t> {
    /// Returns the text of the segment, braces included.
    pub(super) fn text(self) -> &'t str {
        match self {
            Self::Text(text)
            | Self::Expression(text)
            | Self::Block(text)
            | Self::Comment(text)
            | Self::Raw(text) => text,
        }
    }

    /// Returns the code of an expression or block, without its braces; none of other segments.
    pub(super) fn code(self) -> Option<&'t str> {
        let (text, end) = match self {
            Self::Expression(text) => (text, "}}"),
            Self::Block(text) => (text, "%}"),
            _ => return None,
        };
        let inside = text.get(2..).unwrap_or_default();
        Some(inside.strip_suffix(end).unwrap_or(inside))
    }
}

/// Returns the segments of a template in their order; together they are the whole text.
pub(super) fn segments(text: &str) -> Segments<'_> {
    Segments {
        text,
        at: 0,
        raw: false,
        last_comment_end: text.rfind("#}"),
    }
}

/// See [`segments`].
pub(super) struct Segments<'t> {
    text: &'t str,
    at: usize,
    /// Whether the last segment was `{% raw %}`.
    raw: bool,
    last_comment_end: Option<usize>,
}

impl<'t> Iterator for Segments<'t> {
    type Item = Segment<'t>;

    fn next(&mut self) -> Option<Segment<'t>> {
        if self.at == self.text.len() {
            return None;
        }
        let segment = if std::mem::take(&mut self.raw) {
            Segment::Raw(&self.text[self.at..self.raw_end()])
        } else {
            self.segment_at(self.at)
                .unwrap_or_else(|| Segment::Text(&self.text[self.at..self.text_end()]))
        };
        self.at += segment.text().len();
        self.raw = matches!(segment, Segment::Block(_)) && is_block(segment, "raw");
        Some(segment)
    }
}

impl<'t> Segments<'t> {
    /// Returns the segment in braces that begins at `start`.
    fn segment_at(&self, start: usize) -> Option<Segment<'t>> {
        let rest = &self.text[start..];
        if rest.starts_with("{{") {
            return Some(Segment::Expression(&rest[..closing(rest)]));
        }
        if rest.starts_with("{%") {
            return Some(Segment::Block(&rest[..closing(rest)]));
        }
        let closed = self.last_comment_end.is_some_and(|end| end >= start + 2);
        if closed && rest.starts_with("{#") && !self.text[..start].ends_with('$') {
            let end = rest[2..].find("#}").map_or(rest.len(), |end| 2 + end + 2);
            return Some(Segment::Comment(&rest[..end]));
        }
        None
    }

    /// Returns where the text ends that begins here: at the next segment in braces.
    fn text_end(&self) -> usize {
        let mut at = self.at + 1;
        while let Some(found) = self.text.get(at..).and_then(|rest| rest.find('{')) {
            at += found;
            if self.segment_at(at).is_some() {
                return at;
            }
            at += 1;
        }
        self.text.len()
    }

    /// Returns where raw text ends that begins here: at `{% endraw`.
    fn raw_end(&self) -> usize {
        let mut at = self.at;
        while let Some(found) = self.text[at..].find("{%") {
            at += found;
            let block = Segment::Block(&self.text[at..]);
            if is_block(block, "endraw") {
                return at;
            }
            at += 2;
        }
        self.text.len()
    }
}

/// Whether the first word of a block is `name`.
fn is_block(block: Segment<'_>, name: &str) -> bool {
    let inside = &block.text()[2..];
    let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
    tokens(inside)
        .next()
        .is_some_and(|token| token.text == name)
}

/// Returns the length of the segment that begins with `{{` or `{%`: strings and mappings inside it may
/// hold the closing braces. A segment that is not closed is the whole text.
pub(super) fn closing(text: &str) -> usize {
    let close = if text.starts_with("{{") { "}}" } else { "%}" };
    let inside = &text[2..];
    let mut depth = 0_usize;
    for token in tokens(inside) {
        match token.text {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "}" | "%" if inside[token.start..].starts_with(close) => {
                return 2 + token.start + close.len();
            }
            _ => {}
        }
    }
    text.len()
}

/// A piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    /// The text, a string's quotes included.
    pub(super) text: &'t str,
    /// The byte in the code at which it begins.
    pub(super) start: usize,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Letters, digits and underscores: a name, a keyword or a part of a number.
    Word,
    /// Text in quotes, which may lack its end.
    String,
    /// One character of anything else.
    Symbol,
}

/// Returns the tokens of code in their order; white space is left out.
pub(super) fn tokens(code: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at = code.len() - code[at..].trim_start().len();
        let rest = &code[at..];
        let first = rest.chars().next()?;
        let is_word = |character: char| character == '_' || character.is_alphanumeric();
        let (kind, length) = if is_word(first) {
            let end = rest.find(|next: char| !is_word(next));
            (TokenKind::Word, end.unwrap_or(rest.len()))
        } else if matches!(first, '\'' | '"' | '`') {
            (TokenKind::String, string_length(rest))
        } else {
            (TokenKind::Symbol, first.len_utf8())
        };
        let start = at;
        at += length;
        Some(Token {
            kind,
            text: &rest[..length],
            start,
        })
    })
}

/// Returns the length of the string that a text begins with; a backslash escapes the next character.
fn string_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == bytes[0] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

impl<'t> Token<'t> {
    /// Returns the text between the quotes of a string that has both.
    pub(super) fn quoted_text(self) -> Option<&'t str> {
        let quote = self.text.chars().next()?;
        let inside = self.text.strip_prefix(quote)?.strip_suffix(quote)?;
        (self.kind == TokenKind::String).then_some(inside)
    }
}

/// Returns the tokens of all expressions and blocks of a template.
pub(super) fn code_tokens(text: &str) -> Vec<Token<'_>> {
    segments(text)
        .filter_map(Segment::code)
        .flat_map(tokens)
        .collect()
}

/// Returns, for each time that a dotted path such as `keychain.db` is used, the tokens after it.
pub(super) fn after_path<'s, 't>(
    tokens: &'s [Token<'t>],
    path: &'s str,
) -> impl Iterator<Item = &'s [Token<'t>]> {
    (0..tokens.len()).filter_map(move |start| {
        let is_attribute = start > 0 && tokens[start - 1].text == ".";
        let mut rest = &tokens[start..];
        for (position, name) in path.split('.').enumerate() {
            if position > 0 {
                rest = strip_token(rest, ".")?;
            }
            rest = strip_token(rest, name)?;
        }
        (!is_attribute).then_some(rest)
    })
}

/// Returns the tokens after the first one, if that is `text`.
fn strip_token<'s, 't>(tokens: &'s [Token<'t>], text: &str) -> Option<&'s [Token<'t>]> {
    let (first, rest) = tokens.split_first()?;
    (first.text == text).then_some(rest)
}

#[cfg(test)]
mod tests;
