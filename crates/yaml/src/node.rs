//! The tree: values with their places, and how they are read.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use crate::scalar::{Plain, plain};

/// A value and the place at which it is written. An alias is a copy of the value that it names, with the
/// place of that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value as it is written.
    pub kind: Kind,
    /// Line of its first character, from 1; of a block (`|`, `>`) the first line with text.
    pub line: usize,
    /// Column of its first character, from 1.
    pub column: usize,
    /// The bytes that it is written with. Of a scalar: with quotes, without anchor, tag and comment; of a
    /// block the lines of its text. Of a list or mapping: from its first to its last value, with the
    /// brackets if it has some.
    pub bytes: Range<usize>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Text; [`Node::value`] returns what it stands for.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with their values in the order of the text; those of merge keys (`<<`) come last.
    Mapping(Vec<Entry>),
}

/// The text of a scalar and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, escapes and line ends resolved. An anchor and its aliases share it.
    pub text: Arc<str>,
    /// How it is written.
    pub style: Style,
    /// Whether it has the tag `!!str`, with which plain text is a string whatever it looks like.
    pub string_tag: bool,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may be a number, a boolean or null.
    Plain,
    /// In single or double quotes, which are its first and last byte.
    Quoted,
    /// As a block behind `|` or `>`.
    Block,
}

/// One entry of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key; [`Options::keys`](crate::Options::keys) sets the text of a key that is not a string.
    pub key: Arc<str>,
    /// Line of the key, from 1.
    pub line: usize,
    /// Column of the key, from 1.
    pub column: usize,
    /// The value.
    pub value: Node,
}

/// What a value stands for.
///
/// A plain scalar is read by the core schema of YAML 1.2 (`null`, `true`, `12`, `0x1f`, `1.5`), and by
/// those rules of YAML 1.1 that PyYAML and kubectl have: `yes`, `no`, `on` and `off` are booleans, `0755`
/// is octal, `1_000` is a number. Everything else is a string.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`, `~`, or nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; one beyond what JSON's readers take is a string.
    Number(Number),
    /// A string.
    String(&'a str),
    /// A list.
    Sequence(&'a [Node]),
    /// A mapping.
    Mapping(&'a [Entry]),
}

impl Node {
    /// Returns what the value stands for.
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

    /// Returns the value of a mapping's key; none when the mapping has no such key or it is null.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| *entry.key == *key)?;
        Some(&entry.value).filter(|value| !value.is_null())
    }

    /// Returns the value at a path of keys with dots between them; none when a key is missing or null.
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

    /// Returns the entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            Kind::Scalar(_) | Kind::Sequence(_) => &[],
        }
    }

    /// Returns the items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar(_) | Kind::Mapping(_) => &[],
        }
    }

    /// Returns the text of any scalar that is not null, numbers and booleans as they are written.
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

    /// Returns a string; none of anything else, numbers included.
    pub fn as_str(&self) -> Option<&str> {
        match self.value() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a boolean; none of anything else, `"true"` in quotes included.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value() {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// Returns a whole number that is not negative; none of anything else.
    pub fn as_u64(&self) -> Option<u64> {
        match self.value() {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Whether the value is null: `null`, `~`, or nothing at all.
    pub fn is_null(&self) -> bool {
        self.value() == Value::Null
    }

    /// Returns the line on which a scalar's text begins: the empty lines at the beginning of a block
    /// belong to its text, and [`Node::line`] is the first one after them.
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
    /// Returns what the scalar stands for.
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
