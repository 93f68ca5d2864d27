//! The parser: from YAML in any dialect to the model, with all problems at once.

mod admission;
mod case;
mod field;
mod header;
mod keys;
mod policy;
mod reader;
mod route;
mod sink;
mod step;
mod targets;
mod task;

use noetl_yaml::{ErrorKind, Kind, Node};
use serde_json::{Map, Value as Json};

use self::reader::Reader;
use super::document::{self, noun};
use super::graph::Graph;
use super::model::{Playbook, Step};
use noetl_api::{Problem, Problems, Severity};

/// Returns what could be read, and every problem. The playbook has all problems as its warnings; it can run
/// when none of them is an error.
pub(super) fn playbook(file: &str, text: &str) -> (Option<Playbook>, Problems) {
    let mut reader = Reader::new(file);
    let document = match document::read(text) {
        Ok(document) => document,
        Err(error) => {
            let help = match error.kind {
                ErrorKind::Syntax | ErrorKind::Content => {
                    Some("strings with `:` or `{` in them need quotes".to_owned())
                }
                ErrorKind::Limit => None,
            };
            let problem = Problem {
                severity: Severity::Error,
                place: reader.place_at(error.line, error.column, None),
                message: error.message,
                help,
            };
            return (None, Problems(vec![problem]));
        }
    };
    for duplicate in &document.duplicates {
        let key = &duplicate.key;
        let place = reader.place_at(duplicate.line, duplicate.column, Some(key.clone()));
        let message = format!("`{key}` is given twice; the last one counts");
        reader.warn(place, message, None);
    }
    let mut playbook = reader.playbook(&document.root);
    let problems = Problems::sorted(reader.problems);
    if let Some(playbook) = &mut playbook {
        playbook.warnings.clone_from(&problems.0);
    }
    (playbook, problems)
}

impl Reader<'_> {
    /// Reads the root; none when there are no steps.
    fn playbook(&mut self, root: &Node) -> Option<Playbook> {
        if !matches!(root.kind, Kind::Mapping(_)) {
            let place = self.place(root, "");
            let message = format!("a playbook is a mapping, and this is {}", noun(root));
            self.fail(place, message, Some("begin with `apiVersion: noetl.io/v2`"));
            return None;
        }
        self.check_keys(root, "", &keys::ROOT, false);
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
        // The oldest playbooks have their values in `spec`, and their templates use `spec.NAME`.
        if let Some(spec) = root.get("spec") {
            workload.entry("spec").or_insert_with(|| spec.to_json());
        }
        let executor = self.executor(root);
        let keychain = self.keychain(root);
        self.workbook(root);
        let steps = self.workflow(root);
        self.check_targets(&executor, &steps, root);
        (!steps.is_empty()).then(|| Playbook {
            file: self.file.to_owned(),
            path: path.unwrap_or_else(|| name.clone()),
            name,
            description,
            executor,
            workload,
            keychain,
            graph: Graph::new(&steps),
            steps,
            warnings: Vec::new(),
        })
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
                    self.fail(
                        place,
                        format!("line {line} has a step of this name already"),
                        Some("give one of them another name"),
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
