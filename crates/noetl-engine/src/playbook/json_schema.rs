//! JSON Schema, draft 2020-12, as far as `workload_schema` has use for it: the keywords that describe one value, without
//! references to other schemas. A crate for it makes the binary 1.8 to 3.5 MB larger, a tenth and more; the tests
//! compare this module with one.

mod check;
mod format;
mod values;

use std::collections::HashSet;

use regex_lite::{Regex, RegexBuilder};
use serde_json::{Number, Value as Json};

pub(super) use check::{Fault, Misfit};
pub(super) use format::Format;

/// How many bytes a compiled pattern may have, and how long the texts are that one is tried on: the time is their product.
const MOST_PATTERN_BYTES: usize = 1 << 16;
const MOST_TEXT_BYTES: usize = 1 << 16;

/// How many values of a list a message names.
const MOST_SHOWN: usize = 20;

/// Compiles a pattern.
///
/// # Errors
/// When it is none, or a large one.
pub(super) fn pattern(text: &str) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(text)
        .size_limit(MOST_PATTERN_BYTES)
        .build()
}

/// What a value must be. One without keywords fits every value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    /// `description`, for messages.
    pub(super) description: Option<String>,
    /// In the order of the file.
    pub(super) keywords: Vec<Keyword>,
}

/// A keyword with its value, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Keyword {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) assertion: Assertion,
}

/// What a keyword asserts. Those about numbers, texts, lists and mappings hold for every value of another type.
#[derive(Debug, Clone)]
pub(super) enum Assertion {
    /// The schema `false`: no value fits.
    Never,
    Type(Vec<Type>),
    /// `enum` and `const`.
    OneOf(Values),
    Minimum(Number),
    ExclusiveMinimum(Number),
    Maximum(Number),
    ExclusiveMaximum(Number),
    MultipleOf(Number),
    /// In characters.
    MinLength(u64),
    MaxLength(u64),
    Pattern(Regex),
    Format(Format),
    Items {
        /// `prefixItems`: schemas of the first items.
        first: Vec<Schema>,
        /// `items`: that of the others.
        rest: Option<Box<Schema>>,
    },
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    Contains {
        schema: Box<Schema>,
        min: u64,
        max: Option<u64>,
    },
    Properties {
        named: Vec<(String, Schema)>,
        /// `patternProperties`.
        patterns: Vec<(Regex, Schema)>,
        /// `additionalProperties`: the schema of all others.
        others: Option<Box<Schema>>,
    },
    PropertyNames(Box<Schema>),
    Required(Vec<String>),
    /// The names that a name requires beside it.
    DependentRequired(Vec<(String, Vec<String>)>),
    MinProperties(u64),
    MaxProperties(u64),
    AllOf(Vec<Schema>),
    AnyOf(Vec<Schema>),
    ExactlyOneOf(Vec<Schema>),
    Not(Box<Schema>),
    If {
        condition: Box<Schema>,
        then: Option<Box<Schema>>,
        otherwise: Option<Box<Schema>>,
    },
}

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    /// A number without a fraction: `2.0` is one.
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Type {
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    /// Returns what a value of the type is called in messages.
    fn noun(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "a list",
            Self::Object => "a mapping",
        }
    }

    pub(super) fn has(self, value: &Json) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => {
                value.is_i64()
                    || value.is_u64()
                    || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// Values to compare with.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// As messages list them.
    shown: String,
    canonical: HashSet<String>,
}

impl Values {
    pub(super) fn new(values: &[Json]) -> Self {
        let shown = values.iter().take(MOST_SHOWN).map(Json::to_string);
        let mut shown = shown.collect::<Vec<_>>().join(", ");
        if values.len() > MOST_SHOWN {
            shown += &format!(" and {} more", values.len() - MOST_SHOWN);
        }
        Self {
            shown,
            canonical: values.iter().map(values::canonical).collect(),
        }
    }
}

impl Schema {
    /// Returns the schema of a property that is named in it.
    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        self.properties()
            .find_map(|(known, schema)| (known == name).then_some(schema))
    }

    /// Returns the names of the entries that it describes or requires.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let required = self
            .keywords
            .iter()
            .filter_map(|keyword| match &keyword.assertion {
                Assertion::Required(names) => Some(names),
                _ => None,
            });
        let required = required.flatten().map(String::as_str);
        self.properties().map(|(name, _)| name).chain(required)
    }

    /// Returns the properties that are named in it.
    pub(super) fn properties(&self) -> impl Iterator<Item = (&str, &Self)> {
        let named = self
            .keywords
            .iter()
            .filter_map(|keyword| match &keyword.assertion {
                Assertion::Properties { named, .. } => Some(named),
                _ => None,
            });
        named.flatten().map(|(name, schema)| (&**name, schema))
    }

    /// Returns the types of `type`.
    pub(super) fn types(&self) -> Option<&[Type]> {
        self.keywords
            .iter()
            .find_map(|keyword| match &keyword.assertion {
                Assertion::Type(types) => Some(&**types),
                _ => None,
            })
    }
}
