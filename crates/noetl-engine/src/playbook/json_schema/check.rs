//! Values against a schema. Messages say what a value must be and never repeat it: it may be a secret.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Number, Value as Json};

use super::values::{canonical, compare, is_multiple};
use super::{Assertion, Keyword, MOST_TEXT_BYTES, Schema};
use crate::path;

/// How many misfits are listed. A list of a million items of the wrong type is one mistake.
const MOST_MISFITS: usize = 100;

/// How a value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is another than it must be.
    Value,
    /// It is not there, and must be.
    Missing,
    /// It is there, and must not be.
    Unknown,
}

/// A value that does not fit a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The path of the value.
    pub(crate) path: String,
    /// Where the keyword is written.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
    /// The description of the value, if the schema has one.
    pub(crate) description: Option<String>,
    pub(crate) fault: Fault,
}

impl Schema {
    /// Returns why the value at `path` does not fit; nothing when it does.
    pub(crate) fn misfits(&self, value: &Json, path: &str) -> Vec<Misfit> {
        let mut found = Vec::new();
        self.find(value, path, &mut found);
        found
    }

    /// Whether a value fits.
    pub(crate) fn fits(&self, value: &Json) -> bool {
        self.misfits(value, "").is_empty()
    }

    fn find(&self, value: &Json, path: &str, found: &mut Vec<Misfit>) {
        for keyword in &self.keywords {
            if found.len() >= MOST_MISFITS {
                return;
            }
            if let Some(message) = keyword.assertion.message(value) {
                let misfit = self.misfit(keyword, path, message);
                let fault = match keyword.assertion {
                    Assertion::Never => Fault::Unknown,
                    _ => Fault::Value,
                };
                found.push(Misfit { fault, ..misfit });
                continue;
            }
            match value {
                Json::Object(entries) => self.find_in_mapping(keyword, entries, path, found),
                Json::Array(items) => keyword.assertion.find_in_list(items, path, found),
                _ => {}
            }
            keyword.assertion.find_in_parts(value, path, found);
        }
    }

    fn find_in_mapping(
        &self,
        keyword: &Keyword,
        entries: &Map<String, Json>,
        path: &str,
        found: &mut Vec<Misfit>,
    ) {
        match &keyword.assertion {
            Assertion::Required(names) => {
                let missing = names.iter().filter(|name| !entries.contains_key(*name));
                let left = MOST_MISFITS.saturating_sub(found.len());
                found.extend(missing.take(left).map(|name| Misfit {
                    path: path::key(path, name).into_owned(),
                    fault: Fault::Missing,
                    description: self.property(name).and_then(|it| it.description.clone()),
                    ..self.misfit(keyword, path, "has no value, and needs one".to_owned())
                }));
            }
            Assertion::Properties {
                named,
                patterns,
                others,
            } => {
                for (name, value) in entries {
                    if found.len() >= MOST_MISFITS {
                        return;
                    }
                    let path = path::key(path, name);
                    let named = named.iter().filter(|(known, _)| known == name);
                    let named = named.map(|(_, schema)| schema);
                    let matching = patterns
                        .iter()
                        .filter(|(regex, _)| name.len() <= MOST_TEXT_BYTES && regex.is_match(name));
                    let mut is_known = false;
                    for schema in named.chain(matching.map(|(_, schema)| schema)) {
                        is_known = true;
                        schema.find(value, &path, found);
                    }
                    match others {
                        Some(others) if !is_known && others.is_never() => {
                            let message = "is not known: the schema has no such property";
                            found.push(Misfit {
                                fault: Fault::Unknown,
                                description: None,
                                ..self.misfit(keyword, &path, message.to_owned())
                            });
                        }
                        Some(others) if !is_known => others.find(value, &path, found),
                        _ => {}
                    }
                }
            }
            Assertion::PropertyNames(schema) => {
                for name in entries.keys() {
                    if found.len() >= MOST_MISFITS {
                        return;
                    }
                    schema.find(&Json::from(&**name), &path::key(path, name), found);
                }
            }
            _ => {}
        }
    }

    fn misfit(&self, keyword: &Keyword, path: &str, message: String) -> Misfit {
        Misfit {
            path: path.to_owned(),
            line: keyword.line,
            column: keyword.column,
            message,
            description: self.description.clone(),
            fault: Fault::Value,
        }
    }

    fn is_never(&self) -> bool {
        let is_never = |keyword: &Keyword| matches!(keyword.assertion, Assertion::Never);
        self.keywords.iter().any(is_never)
    }
}

impl Assertion {
    fn find_in_list(&self, items: &[Json], path: &str, found: &mut Vec<Misfit>) {
        let Self::Items { first, rest } = self else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            if found.len() >= MOST_MISFITS {
                return;
            }
            if let Some(schema) = first.get(index).or(rest.as_deref()) {
                schema.find(item, &path::index(path, index), found);
            }
        }
    }

    /// Finds misfits with the schemas that hold for the value itself.
    fn find_in_parts(&self, value: &Json, path: &str, found: &mut Vec<Misfit>) {
        match self {
            Self::AllOf(schemas) => {
                for schema in schemas {
                    schema.find(value, path, found);
                }
            }
            Self::If {
                condition,
                then,
                otherwise,
            } => {
                let chosen = if condition.fits(value) {
                    then
                } else {
                    otherwise
                };
                if let Some(schema) = chosen {
                    schema.find(value, path, found);
                }
            }
            _ => {}
        }
    }

    /// Returns what a value must be when it does not fit. Assertions about what is inside of it are no part of this.
    fn message(&self, value: &Json) -> Option<String> {
        match value {
            Json::Number(number) => self.message_of_number(number),
            Json::String(text) => self.message_of_text(text),
            Json::Array(items) => self.message_of_list(items),
            Json::Object(entries) => self.message_of_mapping(entries),
            Json::Null | Json::Bool(_) => None,
        }
        .or_else(|| self.message_of_any(value))
    }

    fn message_of_any(&self, value: &Json) -> Option<String> {
        match self {
            Self::Never => Some("must not be given".to_owned()),
            Self::Type(types) if !types.iter().any(|known| known.has(value)) => {
                let nouns: Vec<_> = types.iter().map(|known| known.noun()).collect();
                Some(format!("must be {}", nouns.join(" or ")))
            }
            Self::OneOf(values) if !values.canonical.contains(&canonical(value)) => {
                let before = if values.canonical.len() == 1 {
                    ""
                } else {
                    "one of "
                };
                Some(format!("must be {before}{}", values.shown))
            }
            Self::AnyOf(schemas) if !schemas.iter().any(|schema| schema.fits(value)) => {
                Some(format!("must fit one of the {}", alternatives(schemas)))
            }
            Self::ExactlyOneOf(schemas) => {
                let fitting = schemas.iter().filter(|schema| schema.fits(value)).count();
                (fitting != 1).then(|| {
                    let alternatives = alternatives(schemas);
                    format!("must fit exactly one of the {alternatives}, and fits {fitting}")
                })
            }
            Self::Not(schema) if schema.fits(value) => {
                Some("must not fit the schema of `not`".to_owned())
            }
            _ => None,
        }
    }

    fn message_of_number(&self, number: &Number) -> Option<String> {
        let (bound, words, fits): (_, _, fn(Ordering) -> bool) = match self {
            Self::Minimum(bound) => (bound, "at least", Ordering::is_ge),
            Self::ExclusiveMinimum(bound) => (bound, "more than", Ordering::is_gt),
            Self::Maximum(bound) => (bound, "at most", Ordering::is_le),
            Self::ExclusiveMaximum(bound) => (bound, "less than", Ordering::is_lt),
            Self::MultipleOf(divisor) => {
                return (!is_multiple(number, divisor))
                    .then(|| format!("must be a multiple of {divisor}"));
            }
            _ => return None,
        };
        (!fits(compare(number, bound))).then(|| format!("must be {words} {bound}"))
    }

    fn message_of_text(&self, text: &str) -> Option<String> {
        let length = || text.chars().count() as u64;
        match self {
            Self::MinLength(min) if length() < *min => {
                Some(format!("must have at least {}", plural(*min, "character")))
            }
            Self::MaxLength(max) if length() > *max => {
                Some(format!("must have at most {}", plural(*max, "character")))
            }
            Self::Pattern(_) if text.len() > MOST_TEXT_BYTES => Some(format!(
                "must have at most {MOST_TEXT_BYTES} bytes, as it is to match a pattern"
            )),
            Self::Pattern(regex) if !regex.is_match(text) => {
                Some(format!("must match the pattern `{regex}`"))
            }
            Self::Format(format) if !format.fits(text) => {
                Some(format!("must be {}", format.noun()))
            }
            _ => None,
        }
    }

    fn message_of_list(&self, items: &[Json]) -> Option<String> {
        let length = items.len() as u64;
        match self {
            Self::MinItems(min) if length < *min => {
                Some(format!("must have at least {}", plural(*min, "item")))
            }
            Self::MaxItems(max) if length > *max => {
                Some(format!("must have at most {}", plural(*max, "item")))
            }
            Self::UniqueItems => {
                let mut seen = HashSet::new();
                let is_unique = items.iter().all(|item| seen.insert(canonical(item)));
                (!is_unique).then(|| "must not have the same item twice".to_owned())
            }
            Self::Contains { schema, min, max } => {
                let fitting = items.iter().filter(|item| schema.fits(item)).count() as u64;
                let fits = fitting >= *min && max.is_none_or(|max| fitting <= max);
                (!fits).then(|| {
                    let bound = match max {
                        Some(max) => format!("at least {min} and at most {max} items"),
                        None => format!("at least {}", plural(*min, "item")),
                    };
                    format!("must have {bound} that fit `contains`, and has {fitting}")
                })
            }
            _ => None,
        }
    }

    fn message_of_mapping(&self, entries: &Map<String, Json>) -> Option<String> {
        let length = entries.len() as u64;
        match self {
            Self::MinProperties(min) if length < *min => {
                Some(format!("must have at least {}", plural(*min, "entry")))
            }
            Self::MaxProperties(max) if length > *max => {
                Some(format!("must have at most {}", plural(*max, "entry")))
            }
            Self::DependentRequired(pairs) => {
                let given = pairs.iter().filter(|(name, _)| entries.contains_key(name));
                let mut needed =
                    given.flat_map(|(name, needed)| needed.iter().map(move |it| (name, it)));
                let (name, needed) = needed.find(|(_, needed)| !entries.contains_key(*needed))?;
                Some(format!("must have `{needed}`, as it has `{name}`"))
            }
            _ => None,
        }
    }
}

fn alternatives(schemas: &[Schema]) -> String {
    let count = plural(schemas.len() as u64, "alternative");
    let described: Vec<_> = schemas
        .iter()
        .filter_map(|schema| schema.description.as_deref())
        .collect();
    if described.is_empty() {
        return count;
    }
    format!("{count} ({})", described.join("; "))
}

fn plural(count: u64, noun: &str) -> String {
    match (count, noun) {
        (1, noun) => format!("1 {noun}"),
        (count, "entry") => format!("{count} entries"),
        (count, noun) => format!("{count} {noun}s"),
    }
}
