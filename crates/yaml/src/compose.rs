//! Builds trees from the events of the parser, expands aliases and merge keys, and checks the limits.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::bytes::Text;
use crate::error::{Error, ErrorKind};
use crate::node::{Entry, Kind, Node, Scalar, Style, Value};
use crate::options::{Document, DuplicateKey, DuplicateKeys, Keys, Options};
use crate::size::Size;

/// Returns the documents of a text that are not empty.
pub(crate) fn documents(text: &str, options: Options) -> Result<Vec<Document>, Error> {
    let mut composer = Composer::new(text, options);
    let mut documents = Vec::new();
    while composer.next_document()?.is_some() {
        let document = composer.document()?;
        if !document.root.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Returns the only document of a text.
pub(crate) fn single_document(text: &str, options: Options) -> Result<Document, Error> {
    let mut composer = Composer::new(text, options);
    if composer.next_document()?.is_none() {
        return Ok(Document {
            root: Node {
                kind: Kind::Scalar(Scalar {
                    text: Arc::default(),
                    style: Style::Plain,
                    string_tag: false,
                }),
                line: 1,
                column: 1,
                bytes: 0..0,
            },
            duplicates: Vec::new(),
        });
    }
    let document = composer.document()?;
    match composer.next_document()? {
        Some(span) => Err(error(
            &span,
            "a second document begins here, and only one is allowed",
        )),
        None => Ok(document),
    }
}

/// A value with an anchor, and the size that each alias adds.
struct Anchored {
    node: Node,
    size: Size,
}

struct Composer<'input> {
    text: Text<'input>,
    parser: Parser<'input, StrInput<'input>>,
    options: Options,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    alias_bytes: usize,
    duplicates: Vec<DuplicateKey>,
    /// The offset in bytes at which the last value ends.
    end: usize,
}

impl<'input> Composer<'input> {
    fn new(text: &'input str, options: Options) -> Self {
        Self {
            text: Text::new(text),
            parser: Parser::new_from_str(text),
            options,
            anchors: HashMap::new(),
            nodes: 0,
            alias_bytes: 0,
            duplicates: Vec::new(),
            end: 0,
        }
    }

    fn next(&mut self) -> Result<(Event<'input>, Span), Error> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Ok(pair)) => Ok(pair),
            Some(Err(failure)) => Err(Error {
                line: failure.marker().line().max(1),
                column: failure.marker().col() + 1,
                kind: ErrorKind::Syntax,
                message: format!("this is not YAML: {}", failure.info()),
            }),
        }
    }

    /// Goes to the next document, and returns the span of its beginning; `None` at the end of the text.
    fn next_document(&mut self) -> Result<Option<Span>, Error> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::DocumentStart(_), span) => return Ok(Some(span)),
                (_, span) => return Err(error(&span, "no document begins here")),
            }
        }
    }

    /// Reads the document that has begun. Anchors and limits are those of one document.
    fn document(&mut self) -> Result<Document, Error> {
        self.anchors.clear();
        (self.nodes, self.alias_bytes) = (0, 0);
        let (event, span) = self.next()?;
        let root = self.node(event, span, 0)?;
        let duplicates = std::mem::take(&mut self.duplicates);
        Ok(Document { root, duplicates })
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, Error> {
        self.check_depth(depth, &span)?;
        self.count_nodes(1, &span)?;
        let (anchor, kind, bytes) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let bytes = self.text.scalar(&span, &text, style);
                if !bytes.is_empty() {
                    self.end = bytes.end;
                }
                let scalar = Scalar {
                    text: text.into(),
                    style,
                    string_tag: tag.is_some_and(|tag| tag.suffix == "str"),
                };
                (anchor, Kind::Scalar(scalar), bytes)
            }
            Event::SequenceStart(anchor, _) => {
                let kind = Kind::Sequence(self.items(depth)?);
                (anchor, kind, self.collection_bytes(&span))
            }
            Event::MappingStart(anchor, _) => {
                let kind = Kind::Mapping(self.entries(depth)?);
                (anchor, kind, self.collection_bytes(&span))
            }
            _ => return Err(error(&span, "a value was expected here")),
        };
        let node = Node {
            kind,
            line: span.start.line(),
            column: span.start.col() + 1,
            bytes,
        };
        if anchor != 0 {
            let size = Size::of(&node);
            // The copy counts as well, since nested anchors would keep a text many times.
            self.count_nodes(size.nodes, &span)?;
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, size });
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: &Span, depth: usize) -> Result<Node, Error> {
        let Some(Anchored { node, size }) = self.anchors.get(&anchor) else {
            return Err(error(
                span,
                "this alias refers to itself, or to an anchor that does not exist",
            ));
        };
        let (node, size) = (node.clone(), *size);
        self.check_depth(depth + size.depth, span)?;
        self.count_nodes(size.nodes, span)?;
        self.alias_bytes += size.text_bytes;
        let limit = self.options.limits.alias_bytes;
        if self.alias_bytes > limit {
            let message = format!("the aliases repeat more than {limit} bytes of text");
            return Err(over_limit(span, message));
        }
        self.end = self.text.bytes(span).end;
        Ok(node)
    }

    fn check_depth(&self, depth: usize, span: &Span) -> Result<(), Error> {
        let limit = self.options.limits.depth;
        if depth > limit {
            let message = format!("values are nested deeper than {limit} levels");
            return Err(over_limit(span, message));
        }
        Ok(())
    }

    fn count_nodes(&mut self, nodes: usize, span: &Span) -> Result<(), Error> {
        self.nodes += nodes;
        let limit = self.options.limits.nodes;
        if self.nodes > limit {
            let message = format!("the document holds more than {limit} values");
            return Err(over_limit(span, message));
        }
        Ok(())
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Error> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => {
                    self.closing_bracket(&span);
                    return Ok(items);
                }
                (Event::Nothing, _) => {}
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        // The index of each key, since a mapping may have very many.
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd => {
                    self.closing_bracket(&span);
                    break;
                }
                Event::Nothing => continue,
                _ => {}
            }
            let key = self.key(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if *key == *"<<" {
                merged.extend(merge_sources(value)?);
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
                    self.duplicate(&entry)?;
                    entries[*place] = entry;
                }
                None => {
                    places.insert(Arc::clone(&entry.key), entries.len());
                    entries.push(entry);
                }
            }
        }
        for entry in merged.iter().flat_map(Node::entries) {
            if !places.contains_key(&entry.key) {
                places.insert(Arc::clone(&entry.key), entries.len());
                entries.push(entry.clone());
            }
        }
        Ok(entries)
    }

    fn key(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Arc<str>, Error> {
        let Kind::Scalar(scalar) = self.node(event, span, depth)?.kind else {
            return Err(error(&span, "a key must be text, not a list or a mapping"));
        };
        Ok(match (self.options.keys, scalar.value()) {
            (Keys::ByValue, Value::Null) => "null".into(),
            (Keys::ByValue, Value::Bool(flag)) => flag.to_string().into(),
            (Keys::ByValue, Value::Number(number)) => number.to_string().into(),
            _ => scalar.text,
        })
    }

    fn duplicate(&mut self, entry: &Entry) -> Result<(), Error> {
        let (line, column) = (entry.line, entry.column);
        match self.options.duplicate_keys {
            DuplicateKeys::Refuse => Err(Error {
                line,
                column,
                kind: ErrorKind::Content,
                message: format!("duplicate key `{}`", entry.key),
            }),
            DuplicateKeys::KeepLast => {
                let key = entry.key.to_string();
                self.duplicates.push(DuplicateKey { key, line, column });
                Ok(())
            }
        }
    }

    /// Sets the end of the last value to that of a list or mapping in brackets. A list or mapping without brackets ends
    /// with its last value.
    fn closing_bracket(&mut self, span: &Span) {
        let bytes = self.text.bytes(span);
        if !bytes.is_empty() {
            self.end = bytes.start + 1;
        }
    }

    fn collection_bytes(&self, span: &Span) -> Range<usize> {
        let start = self.text.after_properties(self.text.bytes(span).start);
        start..self.end.max(start)
    }
}

/// Returns the mappings of a merge key: one, or those of a list.
fn merge_sources(value: Node) -> Result<Vec<Node>, Error> {
    let (line, column) = (value.line, value.column);
    let sources = match value.kind {
        Kind::Sequence(items) => items,
        _ => vec![value],
    };
    let is_source = |node: &Node| matches!(node.kind, Kind::Mapping(_)) || node.is_null();
    if !sources.iter().all(is_source) {
        return Err(Error {
            line,
            column,
            kind: ErrorKind::Content,
            message: "`<<` can only merge mappings".to_owned(),
        });
    }
    Ok(sources)
}

fn error(span: &Span, message: impl Into<String>) -> Error {
    Error {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        kind: ErrorKind::Content,
        message: message.into(),
    }
}

fn over_limit(span: &Span, message: String) -> Error {
    Error {
        kind: ErrorKind::Limit,
        ..error(span, message)
    }
}
