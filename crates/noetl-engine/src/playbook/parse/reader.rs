//! The state of the parser: the problems found so far, and readers of keys that add to them.

use std::collections::BTreeMap;

use noetl_yaml::{Kind, Node, Value};

use super::super::document::noun;
use super::super::task::Task;
use noetl_api::{Place, Problem, Severity};

/// Collects problems while it reads.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) problems: Vec<Problem>,
    /// The step that is read, for the places of problems.
    pub(super) step: Option<String>,
    /// Tasks of the workbook by name.
    pub(super) workbook: BTreeMap<String, Task>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            problems: Vec::new(),
            step: None,
            workbook: BTreeMap::new(),
        }
    }

    pub(super) fn place_at(&self, line: usize, column: usize, field: Option<String>) -> Place {
        Place {
            file: self.file.to_owned(),
            line,
            column,
            step: self.step.clone(),
            field,
        }
    }

    pub(super) fn place(&self, node: &Node, field: &str) -> Place {
        let field = (!field.is_empty()).then(|| field.to_owned());
        self.place_at(node.line, node.column, field)
    }

    /// Adds an error.
    pub(super) fn fail(&mut self, place: Place, message: impl Into<String>, help: &str) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place,
            message: message.into(),
            help: Some(help.to_owned()),
        });
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, place: Place, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem {
            severity: Severity::Warning,
            place,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    /// Returns the text at `key`; a value that is not text is a problem.
    pub(super) fn text(&mut self, node: &Node, key: &str, path: &str) -> Option<String> {
        let value = node.get(key)?;
        match value.value() {
            Value::String(text) => Some(text.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => {
                let place = self.place(value, path);
                self.fail(
                    place,
                    format!("`{key}` is {}, not a string", noun(value)),
                    &format!("write `{key}: TEXT`"),
                );
                None
            }
        }
    }

    /// Returns the mapping at `key`; a value that is not a mapping is a problem.
    pub(super) fn mapping<'n>(
        &mut self,
        node: &'n Node,
        key: &str,
        path: &str,
    ) -> Option<&'n Node> {
        let value = node.get(key)?;
        if matches!(value.kind, Kind::Mapping(_)) {
            return Some(value);
        }
        let place = self.place(value, path);
        self.fail(
            place,
            format!("`{key}` is {}, not a mapping", noun(value)),
            &format!("write `{key}:` with keys and values below it"),
        );
        None
    }

    /// Returns the items of the list at `key`; a value that is not a list is a problem.
    pub(super) fn list<'n>(&mut self, node: &'n Node, key: &str, path: &str) -> &'n [Node] {
        let Some(value) = node.get(key) else {
            return &[];
        };
        if let Kind::Sequence(items) = &value.kind {
            return items;
        }
        let place = self.place(value, path);
        self.fail(
            place,
            format!("`{key}` is {}, not a list", noun(value)),
            &format!("write `{key}:` with items below it, each with `- `"),
        );
        &[]
    }
}
