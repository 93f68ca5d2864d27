//! From YAML to the model: every dialect in, one shape out, all problems at once.

mod case;
mod field;
mod policy;
mod route;
mod step;
mod targets;
mod task;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Executor, KeychainEntry, Playbook, Step, Task};
use crate::problem::{Place, Problem, Problems, Severity};
use crate::yaml::{self, Kind, Node};

/// Kinds of keychain entries that are a credential of the store under another name.
const STORED: [&str; 5] = ["credential", "credentials", "bearer", "static", "secret"];

/// Collects problems while it reads.
struct Reader<'a> {
    file: &'a str,
    problems: Vec<Problem>,
    /// The step being read, for the places of problems.
    step: Option<String>,
    /// Tasks of the workbook by name.
    workbook: BTreeMap<String, Task>,
}

/// What could be read, and everything that is wrong with it. The playbook carries all of that as its warnings:
/// it runs only if none of them is an error.
pub(super) fn playbook(file: &str, text: &str) -> (Option<Playbook>, Problems) {
    let mut reader = Reader {
        file,
        problems: Vec::new(),
        step: None,
        workbook: BTreeMap::new(),
    };
    let document = match yaml::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let place = reader.place_at(error.line, error.column, None);
            let problem = Problem {
                severity: Severity::Error,
                place,
                message: format!("this is not YAML: {}", error.message),
                help: Some("strings with `:` or `{` in them need quotes".to_owned()),
            };
            return (None, Problems(vec![problem]));
        }
    };
    for (key, line, column) in &document.duplicates {
        let place = reader.place_at(*line, *column, Some(key.clone()));
        reader.warn(
            place,
            format!("`{key}` is given twice; the last one counts"),
            None,
        );
    }
    let mut playbook = reader.playbook(&document.root);
    let problems = Problems::sorted(reader.problems);
    if let Some(playbook) = &mut playbook {
        playbook.warnings.clone_from(&problems.0);
    }
    (playbook, problems)
}

impl Reader<'_> {
    fn place_at(&self, line: usize, column: usize, field: Option<String>) -> Place {
        Place {
            file: self.file.to_owned(),
            line,
            column,
            step: self.step.clone(),
            field,
        }
    }

    fn place(&self, node: &Node, field: &str) -> Place {
        let field = (!field.is_empty()).then(|| field.to_owned());
        self.place_at(node.line, node.column, field)
    }

    fn fail(&mut self, place: Place, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    fn warn(&mut self, place: Place, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem {
            severity: Severity::Warning,
            place,
            message: message.into(),
            help: help.map(str::to_owned),
        });
    }

    /// A string at `key`, or a problem when it is something else.
    fn text(&mut self, node: &Node, key: &str, path: &str) -> Option<String> {
        let value = node.get(key)?;
        match &value.kind {
            Kind::String(text) => Some(text.clone()),
            Kind::Number(number) => Some(number.to_string()),
            Kind::Bool(flag) => Some(flag.to_string()),
            _ => {
                let place = self.place(value, path);
                self.fail(
                    place,
                    format!("`{key}` is {}, not a string", value.noun()),
                    None,
                );
                None
            }
        }
    }

    /// The entries at `key`, or a problem when it is no mapping.
    fn mapping<'n>(&mut self, node: &'n Node, key: &str, path: &str) -> Option<&'n Node> {
        let value = node.get(key)?;
        if matches!(value.kind, Kind::Mapping(_)) {
            return Some(value);
        }
        let place = self.place(value, path);
        self.fail(
            place,
            format!("`{key}` is {}, not a mapping", value.noun()),
            None,
        );
        None
    }

    /// The items at `key`, or a problem when it is no list.
    fn list<'n>(&mut self, node: &'n Node, key: &str, path: &str) -> &'n [Node] {
        let Some(value) = node.get(key) else {
            return &[];
        };
        if let Kind::Sequence(items) = &value.kind {
            return items;
        }
        let place = self.place(value, path);
        self.fail(
            place,
            format!("`{key}` is {}, not a list", value.noun()),
            None,
        );
        &[]
    }

    fn playbook(&mut self, root: &Node) -> Option<Playbook> {
        if !matches!(root.kind, Kind::Mapping(_)) {
            let place = self.place(root, "");
            let message = format!("a playbook is a mapping, and this is {}", root.noun());
            self.fail(place, message, Some("begin with `apiVersion: noetl.io/v2`"));
            return None;
        }
        self.header(root);
        let metadata = self.mapping(root, "metadata", "metadata");
        let name = metadata.and_then(|node| self.text(node, "name", "metadata.name"));
        let path = metadata
            .and_then(|node| self.text(node, "path", "metadata.path"))
            .or_else(|| self.text(root, "path", "path"));
        let name = name
            .or_else(|| self.text(root, "name", "name"))
            .or_else(|| path.clone());
        if name.is_none() {
            let place = self.place(root, "metadata.name");
            self.fail(
                place,
                "the playbook has no name",
                Some("add `metadata: {name: …}`"),
            );
        }
        let name = name.unwrap_or_else(|| "unknown".to_owned());
        let description =
            metadata.and_then(|node| self.text(node, "description", "metadata.description"));
        let mut workload = match self
            .mapping(root, "workload", "workload")
            .map(Node::to_json)
        {
            Some(Json::Object(workload)) => workload,
            _ => Map::new(),
        };
        // The oldest playbooks keep their values in `spec`, and ask for `spec.NAME`.
        if let Some(spec) = root.get("spec") {
            workload.entry("spec").or_insert_with(|| spec.to_json());
        }
        let executor = self.executor(root);
        let keychain = self.keychain(root);
        self.workbook(root);
        let steps = self.workflow(root);
        self.targets(&executor, &steps, root);
        (!steps.is_empty()).then(|| Playbook {
            file: self.file.to_owned(),
            path: path.unwrap_or_else(|| name.clone()),
            name,
            description,
            executor,
            workload,
            keychain,
            steps,
            warnings: Vec::new(),
        })
    }

    fn header(&mut self, root: &Node) {
        match self.text(root, "apiVersion", "apiVersion").as_deref() {
            Some("noetl.io/v2" | "noetl.io/v10") => {}
            Some(other) => {
                let place = self.place(root.get("apiVersion").unwrap_or(root), "apiVersion");
                let message = format!("apiVersion `{other}` is not one that NoETL reads");
                self.fail(place, message, Some("write `apiVersion: noetl.io/v2`"));
            }
            None => {
                let place = self.place(root, "apiVersion");
                self.fail(
                    place,
                    "the playbook has no apiVersion",
                    Some("add `apiVersion: noetl.io/v2`"),
                );
            }
        }
        match self.text(root, "kind", "kind").as_deref() {
            Some("Playbook") => {}
            other => {
                let place = self.place(root.get("kind").unwrap_or(root), "kind");
                let message = other.map_or_else(
                    || "the document has no kind".to_owned(),
                    |kind| format!("kind `{kind}` is not a playbook"),
                );
                self.fail(place, message, Some("write `kind: Playbook`"));
            }
        }
    }

    fn executor(&mut self, root: &Node) -> Executor {
        let Some(node) = self.mapping(root, "executor", "executor") else {
            return Executor::default();
        };
        let profile = self.text(node, "profile", "executor.profile");
        if let Some(version) = self.text(node, "version", "executor.version")
            && version != "noetl-runtime/1"
        {
            let place = self.place(node, "executor.version");
            self.warn(
                place,
                format!("runtime `{version}` is not noetl-runtime/1, which this is"),
                None,
            );
        }
        if let Some(requires) = self.mapping(node, "requires", "executor.requires") {
            for tool in self.list(requires, "tools", "executor.requires.tools") {
                let name = tool.as_str().unwrap_or_default();
                if super::ToolKind::from_name(name).is_none() {
                    let place = self.place(tool, "executor.requires.tools");
                    self.fail(
                        place,
                        format!(
                            "the playbook requires the tool `{name}`, which is not part of NoETL"
                        ),
                        None,
                    );
                }
            }
        }
        let mut executor = Executor {
            profile,
            ..Executor::default()
        };
        if let Some(spec) = self.mapping(node, "spec", "executor.spec") {
            executor.entry_step = self.text(spec, "entry_step", "executor.spec.entry_step");
            executor.final_step = self.text(spec, "final_step", "executor.spec.final_step");
            executor.no_next_is_error = spec
                .get("no_next_is_error")
                .is_some_and(|node| matches!(node.kind, Kind::Bool(true)));
        }
        executor
    }

    fn keychain(&mut self, root: &Node) -> Vec<KeychainEntry> {
        let mut entries = Vec::new();
        for (index, node) in self.list(root, "keychain", "keychain").iter().enumerate() {
            let path = format!("keychain[{index}]");
            let Some(name) = self.text(node, "name", &path) else {
                let place = self.place(node, &path);
                self.fail(place, "a keychain entry has no name", None);
                continue;
            };
            let kind = self
                .text(node, "kind", &path)
                .or_else(|| self.text(node, "type", &path));
            let kind = kind.unwrap_or_else(|| "credential".to_owned());
            if !STORED.contains(&kind.as_str()) {
                let place = self.place(node, &format!("{path}.kind"));
                self.fail(
                    place,
                    format!("keychain entry `{name}` is of kind `{kind}`, which needs a service that is not part of NoETL"),
                    Some("register the secret with `noetl register credential` and use kind `credential`"),
                );
                continue;
            }
            let credential = ["credential", "auth", "ref", "key"]
                .iter()
                .find_map(|key| node.get(key).and_then(Node::as_str))
                .unwrap_or(&name)
                .to_owned();
            entries.push(KeychainEntry { name, credential });
        }
        entries
    }

    fn workbook(&mut self, root: &Node) {
        for (index, node) in self.list(root, "workbook", "workbook").iter().enumerate() {
            let path = format!("workbook[{index}]");
            let Some(name) = self.text(node, "name", &path) else {
                let place = self.place(node, &path);
                self.fail(place, "a workbook entry has no name", None);
                continue;
            };
            let Some(tool) = node.get("tool") else {
                let place = self.place(node, &path);
                self.fail(place, format!("the workbook's `{name}` has no tool"), None);
                continue;
            };
            if let Some(task) = self.task(tool, &format!("{path}.tool"), &name, Some(node)) {
                self.workbook.insert(name, task);
            }
        }
    }

    fn workflow(&mut self, root: &Node) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let nodes = self.list(root, "workflow", "workflow");
        if nodes.is_empty() {
            let place = self.place(root.get("workflow").unwrap_or(root), "workflow");
            self.fail(
                place,
                "the workflow has no steps",
                Some("add `workflow:` with a list of steps"),
            );
        }
        for (index, node) in nodes.iter().enumerate() {
            self.step = node.get("step").and_then(Node::as_str).map(str::to_owned);
            if let Some(step) = self.step(node, index) {
                if let Some(known) = steps.iter().find(|known| known.name == step.name) {
                    let line = known.place.line;
                    let place = step.place.clone();
                    self.warn(
                        place,
                        format!(
                            "a step of this name stands in line {line} already, and that one counts"
                        ),
                        None,
                    );
                    continue;
                }
                steps.push(step);
            }
        }
        self.step = None;
        steps
    }
}
