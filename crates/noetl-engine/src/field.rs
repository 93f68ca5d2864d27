//! A value of a playbook with the templates inside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use noetl_api::Place;

/// A value of a playbook, whose strings may hold templates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    /// The key that it is written under.
    pub name: String,
    /// The value, templates not evaluated.
    pub value: Json,
    /// Where it is written.
    pub place: Place,
    /// Lines of the strings inside, by their paths within the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, usize>,
    /// Names that its templates begin with, such as `workload`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roots: Vec<String>,
    /// The parts of those names that they use, such as `workload`, `db`, `host`; a name alone stands for all of its value.
    #[serde(skip)]
    pub(crate) paths: Vec<Vec<String>>,
}

impl Field {
    /// Returns a value that is not written in a file.
    pub(crate) fn plain(name: &str, value: Json) -> Self {
        Self {
            name: name.to_owned(),
            value,
            place: Place::default(),
            lines: BTreeMap::new(),
            roots: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// Returns the names that the field's templates begin with.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(String::as_str)
    }

    /// Adds the evaluated field to arguments under its name. A field without a name is the whole of the
    /// arguments: a mapping, whose entries are added.
    pub(crate) fn insert_into(&self, args: &mut Map<String, Json>, value: Json) {
        match value {
            Json::Object(entries) if self.name.is_empty() => args.extend(entries),
            value if self.name.is_empty() => {
                args.insert("value".to_owned(), value);
            }
            value => {
                args.insert(self.name.clone(), value);
            }
        }
    }
}
