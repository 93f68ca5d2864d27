//! The values of a document, with their positions.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use crate::scalar::{Plain, plain};

/// A value and its position in the text. An alias is a copy of the value of its anchor, with the position of that
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value as it is written.
    pub kind: Kind,
    /// The line of its first character, from 1; for a block (`|`, `>`) the first line with text.
    pub line: usize,
    /// The column of its first character, from 1, in characters.
    pub column: usize,
    /// Its byte range in the text. That of a scalar includes quotes, but not anchor, tag and comment; that of a block
    /// is the lines of its text. That of a list or mapping is from its first to its last value, with brackets if it has
    /// any.
    pub bytes: Range<usize>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A scalar; [`Node::value`] returns its typed value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping: its entries in the order of the text; those of merge keys (`<<`) come last.
    Mapping(Vec<Entry>),
}

/// A scalar: its text, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, with escapes and line ends resolved. An anchor and its aliases share it.
    pub text: Arc<str>,
    /// How it is written.
    pub style: Style,
    /// Whether it has the tag `!!str`, which makes plain text such as `5` a string.
    pub string_tag: bool,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may be a number, a boolean or null.
    Plain,
    /// In single or double quotes, which are its first and last byte.
    Quoted,
    /// As a block after `|` or `>`.
    Block,
}

/// An entry of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key; [`Options::keys`](crate::Options::keys) sets the text of a key that is not a string.
    pub key: Arc<str>,
    /// The line of the key, from 1.
    pub line: usize,
    /// The column of the key, from 1, in characters.
    pub column: usize,
    /// The value.
    pub value: Node,
}

/// A typed value.
///
/// A plain scalar is typed by the core schema of YAML 1.2 (`null`, `true`, `12`, `0x1f`, `1.5`), and by the rules of
/// YAML 1.1 that PyYAML and kubectl use: `yes`, `no`, `on` and `off` are booleans, `0755` is octal, `1_000` is a
/// number. All others are strings.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`, `~`, or an empty value.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number. Integers beyond 64 bits and infinite numbers are strings.
    Number(Number),
    /// A string.
    String(&'a str),
    /// A list.
    Sequence(&'a [Node]),
    /// A mapping.
    Mapping(&'a [Entry]),
}

impl Node {
    /// Returns the typed value.
    ///
    /// ```
    /// use noetl_yaml::Value;
    ///
    /// let list = noetl_yaml::parse("[yes, '1', 0x1f, ~, v1.2]")?.remove(0);
    /// let values: Vec<_> = list.items().iter().map(|item| item.value()).collect();
    /// assert_eq!(values[0], Value::Bool(true));
    /// assert_eq!(values[1], Value::String("1"));
    /// assert_eq!(values[2], Value::Number(31.into()));
    /// assert_eq!(values[3], Value::Null);
    /// assert_eq!(values[4], Value::String("v1.2"));
    /// # Ok::<(), noetl_yaml::Error>(())
    /// ```
    pub fn value(&self) -> Value<'_> {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::Sequence(items) => Value::Sequence(items),
            Kind::Mapping(entries) => Value::Mapping(entries),
        }
    }

    /// Returns the value of a key; `None` when it is null, there is no such key, or this is not a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| *entry.key == *key)?;
        Some(&entry.value).filter(|value| !value.is_null())
    }

    /// Returns the value at a path of keys that are separated by dots; `None` when a key is missing or null.
    ///
    /// ```
    /// let document = noetl_yaml::parse("metadata: {labels: {app: noetl}}")?.remove(0);
    /// let app = document.at("metadata.labels.app").unwrap();
    /// assert_eq!(app.text(), Some("noetl"));
    /// # Ok::<(), noetl_yaml::Error>(())
    /// ```
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Returns the entries of a mapping; an empty slice for other values.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            Kind::Scalar(_) | Kind::Sequence(_) => &[],
        }
    }

    /// Returns the items of a list; an empty slice for other values.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar(_) | Kind::Mapping(_) => &[],
        }
    }

    /// Returns the text of a scalar, with numbers and booleans as they are written; `None` for null and other values.
    ///
    /// ```
    /// let ports = noetl_yaml::parse("[8082, 'http', 0755, null]")?.remove(0);
    /// let texts: Vec<_> = ports.items().iter().map(|port| port.text()).collect();
    /// assert_eq!(texts, [Some("8082"), Some("http"), Some("0755"), None]);
    /// # Ok::<(), noetl_yaml::Error>(())
    /// ```
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if !self.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    /// Returns a string; `None` for other values, also for numbers.
    pub fn as_str(&self) -> Option<&str> {
        match self.value() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a boolean; `None` for other values, also for `"true"` in quotes.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value() {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// Returns an integer that is not negative; `None` for other values.
    pub fn as_u64(&self) -> Option<u64> {
        match self.value() {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Returns whether the value is null: `null`, `~`, or empty.
    pub fn is_null(&self) -> bool {
        self.value() == Value::Null
    }

    /// Returns the line on which the text of a scalar begins. A block may begin with empty lines, which are part of its
    /// text, while [`Node::line`] is the first line after them.
    pub fn text_line(&self) -> usize {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Block => {
                let text = &scalar.text;
                let empty = text.len() - text.trim_start_matches('\n').len();
                self.line.saturating_sub(empty)
            }
            _ => self.line,
        }
    }

    /// Returns the value as JSON.
    ///
    /// ```
    /// let document = noetl_yaml::parse("{a: 1, b: [x, ~]}")?.remove(0);
    /// assert_eq!(document.to_json(), serde_json::json!({"a": 1, "b": ["x", null]}));
    /// # Ok::<(), noetl_yaml::Error>(())
    /// ```
    pub fn to_json(&self) -> Json {
        match self.value() {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(flag),
            Value::Number(number) => Json::Number(number),
            Value::String(text) => Json::String(text.to_owned()),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

impl Scalar {
    /// Returns the typed value.
    pub fn value(&self) -> Value<'_> {
        if self.style != Style::Plain || self.string_tag {
            return Value::String(&self.text);
        }
        match plain(&self.text) {
            Plain::Null => Value::Null,
            Plain::Bool(flag) => Value::Bool(flag),
            Plain::Number(number) => Value::Number(number),
            Plain::String => Value::String(&self.text),
        }
    }
}
