//! YAML as a tree in which every value knows its line and its bytes, so that text can be edited in
//! place and everything around it, comments and line ends included, stays as it is.

use std::collections::HashMap;

use anyhow::{anyhow, bail, ensure};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// How many values one file may hold once its aliases are expanded: no small file asks for a large tree.
const MAX_NODES: usize = 200_000;

/// How deep values may nest; the composer calls itself.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Line of its first character, from 1.
    pub line: usize,
    /// Bytes of the file that it was written with; those of the anchor where an alias stands.
    pub bytes: std::ops::Range<usize>,
}

/// What a value is; numbers and booleans are kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, and how it is written.
    Scalar(String, Style),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, merge keys expanded.
    Mapping(Vec<(String, Node)>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes, so that it may be a number, a boolean or nothing.
    Plain,
    /// In single or double quotes, which are its first and last byte.
    Quoted,
    /// As a block behind `|` or `>`.
    Block,
}

impl Node {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Mapping(entries) = &self.kind else {
            return None;
        };
        entries
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The value below several keys, given with dots between them.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, Style::Plain) if ["", "~", "null"].contains(&text.as_str()) => None,
            Kind::Scalar(text, _) => Some(text),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// A plain boolean, in any spelling that kubectl takes.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let Kind::Scalar(text, Style::Plain) = &self.kind else {
            return None;
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.text()?.parse().ok()
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar(..) | Kind::Mapping(_) => &[],
        }
    }

    fn weight(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(..) => 0,
            Kind::Sequence(items) => items.iter().map(Self::weight).sum(),
            Kind::Mapping(entries) => entries.iter().map(|(_, value)| value.weight()).sum(),
        }
    }
}

/// Reads all documents of a file; empty ones are left out.
///
/// # Errors
/// When it is not YAML, with the line; when a mapping has a key twice, of which kubectl would take one silently.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Node>> {
    let offsets = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut composer = Composer {
        text,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
        offsets,
    };
    let mut documents = Vec::new();
    loop {
        match composer.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            (Event::DocumentStart(_), _) => {
                composer.anchors.clear();
                let (event, span) = composer.next()?;
                let node = composer.node(event, span, 0)?;
                if node.text().is_some() || !matches!(node.kind, Kind::Scalar(..)) {
                    documents.push(node);
                }
            }
            (_, span) => bail!("line {}: no document begins here", span.start.line()),
        }
    }
}

struct Composer<'input> {
    text: &'input str,
    parser: Parser<'input, StrInput<'input>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// Byte of each character: the parser counts characters.
    offsets: Vec<usize>,
}

impl<'input> Composer<'input> {
    fn next(&mut self) -> anyhow::Result<(Event<'input>, Span)> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Ok(pair)) => Ok(pair),
            Some(Err(failure)) => {
                let line = failure.marker().line();
                Err(anyhow!("line {line}: not YAML: {}", failure.info()))
            }
        }
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> anyhow::Result<Node> {
        let line = span.start.line();
        self.nodes += 1;
        let (anchor, kind) = match event {
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.ok_or_else(|| anyhow!("line {line}: an alias of nothing"))?;
                self.nodes += node.weight();
                ensure!(self.nodes <= MAX_NODES, "line {line}: too many values");
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                (anchor, Kind::Scalar(text.into_owned(), style))
            }
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth + 1)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth + 1)?),
            _ => bail!("line {line}: a value was expected"),
        };
        let fits = self.nodes <= MAX_NODES && depth <= MAX_DEPTH;
        ensure!(fits, "line {line}: too many values, or nested too deep");
        let byte = |character: usize| self.offsets[character.min(self.offsets.len() - 1)];
        let spanned = byte(span.start.index())..byte(span.end.index());
        let bytes = match &kind {
            Kind::Scalar(value, style) => of_scalar(self.text, spanned, value, *style),
            _ => spanned,
        };
        let node = Node { kind, line, bytes };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> anyhow::Result<Kind> {
        ensure!(depth <= MAX_DEPTH, "values nest too deep");
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::Sequence(items)),
                (Event::Nothing, _) => {}
                (event, span) => items.push(self.node(event, span, depth)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> anyhow::Result<Kind> {
        ensure!(depth <= MAX_DEPTH, "values nest too deep");
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd => break,
                Event::Nothing => continue,
                _ => {}
            }
            let key = self.node(event, span, depth)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth)?;
            let Kind::Scalar(name, _) = key.kind else {
                bail!("line {}: a key must be text", key.line);
            };
            if name == "<<" {
                match value.kind {
                    Kind::Sequence(items) => merged.extend(items),
                    _ => merged.push(value),
                }
                continue;
            }
            let twice = entries.iter().any(|(known, _)| *known == name);
            ensure!(!twice, "line {}: the key `{name}` is there twice", key.line);
            entries.push((name, value));
        }
        for node in merged {
            let Kind::Mapping(more) = node.kind else {
                bail!("line {}: `<<` merges mappings alone", node.line);
            };
            for (name, value) in more {
                if !entries.iter().any(|(known, _)| *known == name) {
                    entries.push((name, value));
                }
            }
        }
        Ok(Kind::Mapping(entries))
    }
}

/// The bytes of a scalar alone. The parser's span begins at its anchor or tag and may end where the
/// next token does, behind a comment; a plain value on several lines keeps that span.
fn of_scalar(
    text: &str,
    spanned: std::ops::Range<usize>,
    value: &str,
    style: Style,
) -> std::ops::Range<usize> {
    let mut start = spanned.start;
    while text[start..].starts_with(['&', '!']) {
        let word = text[start..].find(char::is_whitespace).unwrap_or_default();
        let rest = &text[start + word..];
        start += word + rest.len() - rest.trim_start().len();
    }
    let rest = &text[start..];
    let length = match style {
        Style::Plain => rest.starts_with(value).then_some(value.len()),
        Style::Quoted => quoted(rest),
        Style::Block => None,
    };
    length.map_or(spanned, |length| start..start + length)
}

/// The length of the quoted scalar that a text begins with, both quotes included.
fn quoted(text: &str) -> Option<usize> {
    let quote = *text.as_bytes().first()?;
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == b'"' => {
                bytes.next();
            }
            // Two single quotes are one.
            b'\'' if quote == b'\'' && bytes.peek().is_some_and(|(_, next)| *next == b'\'') => {
                bytes.next();
            }
            byte if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "# ü\r\na: plain # comment\r\nb: 'sin''gle' # why\r\nc: \"double \\\" ü\" # why\r\nd: {e: [x:1, \"y\"], f: &g z}\r\nh: *g\r\nj: !!str &k 'x:1'  # why\r\n---\r\n# empty\r\n---\r\ni: |\r\n  block\r\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 2);
        let written = |path: &str| &text[documents[0].at(path).unwrap().bytes.clone()];
        assert_eq!(written("a"), "plain");
        assert_eq!(written("b"), "'sin''gle'");
        assert_eq!(written("c"), "\"double \\\" ü\"");
        assert_eq!(written("d.f"), "z");
        assert_eq!(written("h"), "z", "an alias is written where its anchor is");
        assert_eq!(written("j"), "'x:1'");
        let items = documents[0].at("d.e").unwrap().items();
        assert_eq!(&text[items[0].bytes.clone()], "x:1");
        assert_eq!(&text[items[1].bytes.clone()], "\"y\"");
        assert_eq!(documents[0].at("c").unwrap().line, 4);
        let block = documents[1].get("i").unwrap();
        assert_eq!(block.kind, Kind::Scalar("block\n".into(), Style::Block));
    }

    #[test]
    fn merge_keys_fill_what_is_missing() {
        let text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n";
        let documents = parse(text).unwrap();
        let number = |path: &str| documents[0].at(path).and_then(Node::number);
        assert_eq!((number("b.x"), number("b.y")), (Some(3), Some(2)));
    }

    #[test]
    fn what_is_no_yaml_is_refused_by_line() {
        for (text, words) in [
            ("a: 1\nb: [\n", "not YAML"),
            ("a: 1\na: 2\n", "line 2: the key `a` is there twice"),
            ("a: *nothing\n", "not YAML"),
            ("? [a]\n: b\n", "a key must be text"),
            ("{{ helm }}: x\n", "line 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let bomb = (0..9).fold(
            String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"),
            |text, n| {
                let list = vec![format!("*a{n}"); 10].join(",");
                format!("{text}a{0}: &a{0} [{list}]\n", n + 1)
            },
        );
        assert!(parse(&bomb).unwrap_err().to_string().contains("too many"));
        let deep = "[".repeat(2000);
        assert!(parse(&deep).is_err());
    }
}
