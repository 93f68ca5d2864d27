//! `workload_schema`: a JSON Schema that the values of an execution must fit.

use noetl_yaml::{Entry, Node, Value};
use regex_lite::Regex;
use serde_json::{Number, Value as Json};

use super::super::distance::distance;
use super::super::document::noun;
use super::super::json_schema::{self, Assertion, Format, Keyword, Schema, Type, Values};
use super::reader::Reader;
use crate::path;

/// The keywords that are read.
const KEYWORDS: &str = "type enum const minimum maximum exclusiveMinimum exclusiveMaximum multipleOf \
    minLength maxLength pattern format items prefixItems minItems maxItems uniqueItems contains minContains \
    maxContains properties patternProperties additionalProperties propertyNames required dependentRequired \
    minProperties maxProperties allOf anyOf oneOf not if then else description title";

/// Keywords that say something to people and programs, and nothing about which values fit.
const ANNOTATIONS: &str = "$schema $id $comment examples deprecated readOnly writeOnly contentEncoding \
    contentMediaType";

/// Keywords that lead to other schemas.
const REFERENCES: &str = "$ref $defs definitions $anchor $dynamicRef $dynamicAnchor";

impl Reader<'_> {
    /// Reads `workload_schema`.
    pub(super) fn workload_schema(&mut self, root: &Node) -> Option<Schema> {
        let path = "workload_schema";
        let node = self.mapping(root, path, path)?;
        let schema = Schemas { reader: self }.schema(node, path);
        if let Some(types) = schema.types()
            && !types.contains(&Type::Object)
        {
            let place = self.place(node, &path::key(path, "type"));
            self.fail(
                place,
                "the workload is a mapping, and this schema's `type` is another",
                "write `type: object`, or leave `type` out",
            );
        }
        Some(schema)
    }
}

/// Reads schemas within `workload_schema`.
struct Schemas<'r, 'a> {
    reader: &'r mut Reader<'a>,
}

impl Schemas<'_, '_> {
    fn schema(&mut self, node: &Node, path: &str) -> Schema {
        let mut schema = Schema::default();
        match node.value() {
            Value::Bool(true) => {}
            Value::Bool(false) => {
                schema.keywords.push(keyword(node, Assertion::Never));
            }
            Value::Mapping(entries) => {
                schema.description = node
                    .get("description")
                    .and_then(Node::as_str)
                    .map(str::to_owned);
                for entry in entries {
                    if let Some(assertion) = self.assertion(node, entry, path) {
                        schema.keywords.push(keyword(&entry.value, assertion));
                    }
                }
                self.check_values(node, &schema, path);
            }
            _ => {
                let place = self.reader.place(node, path);
                let message = format!("a schema is a mapping, and this is {}", noun(node));
                self.reader
                    .fail(place, message, "write keywords such as `{type: string}`");
            }
        }
        schema
    }

    /// Reads one keyword of the schema `node`; none when it asserts nothing, or its value is a problem.
    fn assertion(&mut self, node: &Node, entry: &Entry, path: &str) -> Option<Assertion> {
        let Entry { key, value, .. } = entry;
        let at = path::key(path, key);
        let assertion = match &**key {
            "type" => Assertion::Type(self.types(value, &at)?),
            "enum" => {
                let values: Vec<_> = value.items().iter().map(Node::to_json).collect();
                if values.is_empty() {
                    return self.no_keyword(value, &at, "a list of values", "[small, large]");
                }
                Assertion::OneOf(Values::new(&values))
            }
            "const" => Assertion::OneOf(Values::new(&[value.to_json()])),
            "minimum" => Assertion::Minimum(self.number(value, &at)?),
            "maximum" => Assertion::Maximum(self.number(value, &at)?),
            "exclusiveMinimum" => Assertion::ExclusiveMinimum(self.number(value, &at)?),
            "exclusiveMaximum" => Assertion::ExclusiveMaximum(self.number(value, &at)?),
            "multipleOf" => {
                let number = self.number(value, &at)?;
                if number.as_f64().is_none_or(|number| number <= 0.0) {
                    return self.no_keyword(value, &at, "a number above 0", "5");
                }
                Assertion::MultipleOf(number)
            }
            "minLength" => Assertion::MinLength(self.count(value, &at)?),
            "maxLength" => Assertion::MaxLength(self.count(value, &at)?),
            "minItems" => Assertion::MinItems(self.count(value, &at)?),
            "maxItems" => Assertion::MaxItems(self.count(value, &at)?),
            "minProperties" => Assertion::MinProperties(self.count(value, &at)?),
            "maxProperties" => Assertion::MaxProperties(self.count(value, &at)?),
            "pattern" => Assertion::Pattern(self.regex(value.as_str(), value, &at)?),
            "format" => Assertion::Format(self.format(value, &at)?),
            "uniqueItems" => match value.as_bool() {
                Some(true) => Assertion::UniqueItems,
                Some(false) => return None,
                None => return self.no_keyword(value, &at, "a boolean", "true"),
            },
            "required" => Assertion::Required(self.names(value, &at)?),
            "dependentRequired" => {
                let pairs = self.entries_of(value, &at)?.iter();
                let pairs = pairs.map(|entry| {
                    let names = self.names(&entry.value, &path::key(&at, &entry.key));
                    (entry.key.to_string(), names.unwrap_or_default())
                });
                Assertion::DependentRequired(pairs.collect())
            }
            "not" => Assertion::Not(Box::new(self.schema(value, &at))),
            "propertyNames" => Assertion::PropertyNames(Box::new(self.schema(value, &at))),
            "allOf" => Assertion::AllOf(self.schemas(value, &at)?),
            "anyOf" => Assertion::AnyOf(self.schemas(value, &at)?),
            "oneOf" => Assertion::ExactlyOneOf(self.schemas(value, &at)?),
            "items"
            | "prefixItems"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "contains"
            | "minContains"
            | "maxContains"
            | "if"
            | "then"
            | "else" => return self.group(node, entry, path),
            _ => {
                self.check_keyword(entry, &at);
                return None;
            }
        };
        Some(assertion)
    }

    /// Reads keywords that belong together, at the first of them.
    fn group(&mut self, node: &Node, entry: &Entry, path: &str) -> Option<Assertion> {
        let groups: [&[&str]; 4] = [
            &["items", "prefixItems"],
            &["properties", "patternProperties", "additionalProperties"],
            &["contains", "minContains", "maxContains"],
            &["if", "then", "else"],
        ];
        let group = groups.iter().find(|group| group.contains(&&*entry.key))?;
        let first = node
            .entries()
            .iter()
            .find(|entry| group.contains(&&*entry.key))?;
        if first.key != entry.key {
            return None;
        }
        let needed = group[0];
        if matches!(needed, "contains" | "if") && node.get(needed).is_none() {
            let place = self
                .reader
                .place(&entry.value, &path::key(path, &entry.key));
            let message = format!("`{}` says nothing without `{needed}`", entry.key);
            self.reader
                .fail(place, message, &format!("add `{needed}`, or remove it"));
            return None;
        }
        let inner = |schemas: &mut Self, key: &str| {
            let value = node.get(key)?;
            Some(Box::new(schemas.schema(value, &path::key(path, key))))
        };
        Some(match needed {
            "items" => Assertion::Items {
                first: match node.get("prefixItems") {
                    Some(value) => self.schemas(value, &path::key(path, "prefixItems"))?,
                    None => Vec::new(),
                },
                rest: inner(self, "items"),
            },
            "contains" => {
                let mut count = |key: &str| {
                    let value = node.get(key)?;
                    self.count(value, &path::key(path, key))
                };
                let (min, max) = (count("minContains").unwrap_or(1), count("maxContains"));
                Assertion::Contains {
                    schema: inner(self, "contains")?,
                    min,
                    max,
                }
            }
            "if" => Assertion::If {
                condition: inner(self, "if")?,
                then: inner(self, "then"),
                otherwise: inner(self, "else"),
            },
            _ => {
                let named = self.properties(node, "properties", path);
                let patterns = self.properties(node, "patternProperties", path);
                let patterns = patterns.into_iter().filter_map(|(pattern, schema)| {
                    let value = node.get("patternProperties")?;
                    let at = path::key(path, "patternProperties");
                    Some((self.regex(Some(&pattern), value, &at)?, schema))
                });
                Assertion::Properties {
                    named,
                    patterns: patterns.collect(),
                    others: inner(self, "additionalProperties"),
                }
            }
        })
    }

    /// Reads the schemas of properties by their names, or by patterns.
    fn properties(&mut self, node: &Node, key: &str, path: &str) -> Vec<(String, Schema)> {
        let Some(value) = node.get(key) else {
            return Vec::new();
        };
        let at = path::key(path, key);
        let entries = self.entries_of(value, &at).unwrap_or_default();
        let schemas = entries.iter().map(|Entry { key, value, .. }| {
            let schema = self.schema(value, &path::key(&at, key));
            (key.to_string(), schema)
        });
        schemas.collect()
    }

    fn entries_of<'n>(&mut self, value: &'n Node, at: &str) -> Option<&'n [Entry]> {
        match value.value() {
            Value::Mapping(entries) => Some(entries),
            _ => self.no_keyword(value, at, "a mapping of names", "{NAME: …}"),
        }
    }

    fn schemas(&mut self, value: &Node, at: &str) -> Option<Vec<Schema>> {
        if value.items().is_empty() {
            return self.no_keyword(value, at, "a list of schemas", "[{type: string}]");
        }
        let schemas = value.items().iter().enumerate();
        let schemas = schemas.map(|(index, item)| self.schema(item, &path::index(at, index)));
        Some(schemas.collect())
    }

    fn types(&mut self, value: &Node, at: &str) -> Option<Vec<Type>> {
        let nodes = match value.value() {
            Value::Sequence(items) if !items.is_empty() => items,
            _ => std::slice::from_ref(value),
        };
        let mut types = Vec::new();
        for node in nodes {
            // YAML reads `null` without quotes as nothing.
            let name = if node.is_null() {
                "null"
            } else {
                node.as_str().unwrap_or_default()
            };
            let Some((_, known)) = Type::NAMES.iter().find(|(known, _)| *known == name) else {
                let names = Type::NAMES.map(|(name, _)| name).join(", ");
                return self.no_keyword(node, at, &format!("one of {names}"), "string");
            };
            types.push(*known);
        }
        Some(types)
    }

    fn number(&mut self, value: &Node, at: &str) -> Option<Number> {
        match value.value() {
            Value::Number(number) => Some(number),
            _ => self.no_keyword(value, at, "a number", "5"),
        }
    }

    fn count(&mut self, value: &Node, at: &str) -> Option<u64> {
        value
            .as_u64()
            .or_else(|| self.no_keyword(value, at, "a whole number from 0", "5"))
    }

    fn names(&mut self, value: &Node, at: &str) -> Option<Vec<String>> {
        let items = value.items().iter();
        let names: Option<Vec<_>> = items.map(|item| Some(item.as_str()?.to_owned())).collect();
        match value.value() {
            Value::Sequence(_) if names.is_some() => names,
            _ => self.no_keyword(value, at, "a list of names", "[NAME]"),
        }
    }

    fn regex(&mut self, pattern: Option<&str>, value: &Node, at: &str) -> Option<Regex> {
        let Some(pattern) = pattern else {
            return self.no_keyword(value, at, "a regular expression", "'^[a-z]+$'");
        };
        match json_schema::pattern(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let place = self.reader.place(value, at);
                let message = format!("`{pattern}` cannot be used as a pattern: {error}");
                let help =
                    "write a regular expression without look-around, back references and `\\p`";
                self.reader.fail(place, message, help);
                None
            }
        }
    }

    fn format(&mut self, value: &Node, at: &str) -> Option<Format> {
        let Some(name) = value.as_str() else {
            return self.no_keyword(value, at, "the name of a format", "date");
        };
        let known = Format::NAMES.iter().find(|(known, _)| *known == name);
        if known.is_none() {
            let names = Format::NAMES.map(|(name, _)| name).join(", ");
            let place = self.reader.place(value, at);
            let message = format!("the format `{name}` is not checked");
            self.reader
                .warn(place, message, Some(&format!("those that are: {names}")));
        }
        known.map(|(_, format)| *format)
    }

    /// Reports a keyword that is none of those that assert something.
    fn check_keyword(&mut self, Entry { key, value, .. }: &Entry, at: &str) {
        let is_in = |keys: &str| keys.split_whitespace().any(|known| *known == **key);
        let is_own = key.starts_with("x-") || key.starts_with("x_");
        if is_own || is_in(ANNOTATIONS) || matches!(&**key, "title" | "description") {
            return;
        }
        let place = self.reader.place(value, at);
        if &**key == "default" {
            let message = "`default` gives no value here";
            self.reader
                .warn(place, message, Some("give defaults in `workload`"));
        } else if is_in(REFERENCES) {
            let message = format!("`{key}` is not supported in `workload_schema`");
            self.reader.fail(
                place,
                message,
                "repeat a schema with an anchor and an alias of YAML: `&name`, `*name`",
            );
        } else {
            let names = KEYWORDS.split_whitespace();
            let nearest = names.map(|known| (distance(key, known), known)).min();
            let help = match nearest {
                Some((distance, known)) if distance <= 2 => format!("did you mean `{known}`?"),
                _ => "keys of your own begin with `x-`".to_owned(),
            };
            let message = format!("`{key}` is no keyword of a schema that NoETL reads");
            self.reader.fail(place, message, &help);
        }
    }

    /// Warns about listed values that the type beside them excludes: YAML reads `yes` and `1` as others than texts.
    fn check_values(&mut self, node: &Node, schema: &Schema, path: &str) {
        let listed = node.get("enum").map_or(&[][..], Node::items).iter();
        for value in listed.chain(node.get("const")) {
            let json = value.to_json();
            if schema
                .types()
                .is_some_and(|types| !types.iter().any(|known| known.has(&json)))
            {
                let place = self.reader.place(value, path);
                let message = format!("`type` excludes the value {json}, which is {}", noun(value));
                let help = match json {
                    Json::Bool(_) | Json::Number(_) | Json::Null => {
                        "put it in quotes if it is meant as a string"
                    }
                    _ => "change `type`, or remove the value",
                };
                self.reader.warn(place, message, Some(help));
            }
        }
    }

    /// Reports a keyword whose value is of another kind.
    fn no_keyword<T>(&mut self, value: &Node, at: &str, what: &str, example: &str) -> Option<T> {
        let keyword = at.rsplit('.').next().unwrap_or(at).to_owned();
        let place = self.reader.place(value, at);
        let message = format!("`{keyword}` is {what}, and this is {}", noun(value));
        self.reader
            .fail(place, message, &format!("write `{keyword}: {example}`"));
        None
    }
}

fn keyword(node: &Node, assertion: Assertion) -> Keyword {
    Keyword {
        line: node.line,
        column: node.column,
        assertion,
    }
}
