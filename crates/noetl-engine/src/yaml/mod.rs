//! YAML text as a tree in which every value knows its place.
//!
//! Plain scalars mean what they mean to PyYAML, with which playbooks have been read so far: `yes` and
//! `on` are booleans, `0755` is octal. Aliases and merge keys are expanded within a budget, so that no
//! small file can ask for a large tree.

mod scalar;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

/// How many values one document may hold once its aliases are expanded.
const MAX_NODES: usize = 500_000;
/// How deep values may nest.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Line of the value's first character, from 1.
    pub(crate) line: usize,
    /// Column of the value's first character, from 1.
    pub(crate) column: usize,
    /// Line on which the text of a string begins.
    pub(crate) text_line: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Line of the key, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) value: Node,
}

/// Why a text is not a YAML document.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// A document, and the keys that it gives twice.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// Key, line and column of every key that overrides an earlier one.
    pub(crate) duplicates: Vec<(String, usize, usize)>,
}

impl Node {
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
            .filter(|value| !matches!(value.kind, Kind::Null))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// What the value is called in messages.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::String(text) => Value::String(text.clone()),
            Kind::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Kind::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    fn weight(&self) -> usize {
        match &self.kind {
            Kind::Sequence(items) => 1 + items.iter().map(Node::weight).sum::<usize>(),
            Kind::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.value.weight())
                    .sum::<usize>()
            }
            _ => 1,
        }
    }
}

/// Reads the one document of `text`.
///
/// # Errors
/// The first place at which it is not YAML, or asks for more than it may.
pub(crate) fn parse(text: &str) -> Result<Document, SyntaxError> {
    let mut composer = Composer {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
        duplicates: Vec::new(),
    };
    let mut root = None;
    loop {
        let (event, span) = composer.next()?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if root.is_some() => {
                return Err(error(
                    &span,
                    "a second document begins here; a playbook is one",
                ));
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => root = Some(composer.node(event, span, 0)?),
        }
    }
    Ok(Document {
        root: root.unwrap_or(Node {
            kind: Kind::Null,
            line: 1,
            column: 1,
            text_line: 1,
        }),
        duplicates: composer.duplicates,
    })
}

struct Composer<'input> {
    parser: Parser<'input, saphyr_parser::StrInput<'input>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    duplicates: Vec<(String, usize, usize)>,
}

impl<'input> Composer<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), SyntaxError> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Ok(pair)) => Ok(pair),
            Some(Err(failure)) => Err(SyntaxError {
                line: failure.marker().line(),
                column: failure.marker().col() + 1,
                message: failure.info().to_owned(),
            }),
        }
    }

    fn spend(&mut self, nodes: usize, span: &Span) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(error(
                span,
                format!("the document holds more than {MAX_NODES} values"),
            ));
        }
        Ok(())
    }

    fn node(
        &mut self,
        event: Event<'input>,
        span: Span,
        depth: usize,
    ) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(error(
                &span,
                format!("values nest deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.spend(1, &span)?;
        let (anchor, kind, text_line) = match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(&span, "this alias refers to itself or to no anchor"));
                };
                self.spend(node.weight(), &span)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                // A block's place is its first line with text, and its text begins with the empty ones above.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let above = text.len() - text.trim_start_matches('\n').len();
                let line = span
                    .start
                    .line()
                    .saturating_sub(if block { above } else { 0 });
                let tagged = tag.is_some_and(|tag| tag.suffix == "str");
                let kind = if style == ScalarStyle::Plain && !tagged {
                    scalar::plain(&text)
                } else {
                    Kind::String(text.into_owned())
                };
                (anchor, kind, line)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    match event {
                        Event::SequenceEnd => break,
                        Event::Nothing => {}
                        event => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                (anchor, Kind::Sequence(items), span.start.line())
            }
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?, span.start.line()),
            _ => return Err(error(&span, "a value was expected here")),
        };
        let node = Node {
            kind,
            line: span.start.line(),
            column: span.start.col() + 1,
            text_line,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        // Of the entries by their keys, of which there may be very many.
        let mut places: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd => break,
                Event::Nothing => continue,
                _ => {}
            }
            let key = key(&self.node(event, span, depth + 1)?, &span)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if key == "<<" {
                match value.kind {
                    Kind::Sequence(items) => merged.extend(items),
                    _ => merged.push(value),
                }
                continue;
            }
            let entry = Entry {
                key,
                line: span.start.line(),
                column: span.start.col() + 1,
                value,
            };
            match places.get(&entry.key) {
                Some(place) => {
                    self.duplicates
                        .push((entry.key.clone(), entry.line, entry.column));
                    entries[*place] = entry;
                }
                None => {
                    places.insert(entry.key.clone(), entries.len());
                    entries.push(entry);
                }
            }
        }
        for entry in merged.iter().flat_map(Node::entries) {
            if !places.contains_key(&entry.key) {
                places.insert(entry.key.clone(), entries.len());
                entries.push(entry.clone());
            }
        }
        Ok(Kind::Mapping(entries))
    }
}

fn key(node: &Node, span: &Span) -> Result<String, SyntaxError> {
    match &node.kind {
        Kind::String(text) => Ok(text.clone()),
        Kind::Null => Ok("null".to_owned()),
        Kind::Bool(flag) => Ok(flag.to_string()),
        Kind::Number(number) => Ok(number.to_string()),
        Kind::Sequence(_) | Kind::Mapping(_) => Err(error(
            span,
            "a mapping's key must be text; write `\"{{ … }}\"` in quotes if it is a template",
        )),
    }
}

fn error(span: &Span, message: impl Into<String>) -> SyntaxError {
    SyntaxError {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests;
