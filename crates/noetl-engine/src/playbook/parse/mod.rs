//! The parser: from YAML in any dialect to the model, with all problems at once.

mod admission;
mod case;
mod field;
mod header;
mod json_schema;
mod keys;
mod policy;
mod reader;
mod repeat;
mod route;
mod schema;
mod sink;
mod step;
mod targets;
mod task;
mod values;

use std::collections::HashMap;

use noetl_yaml::{ErrorKind, Kind, Node};
use serde_json::{Map, Value as Json};

use self::reader::Reader;
pub use self::schema::schema;
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
            let problem = Problem {
                severity: Severity::Error,
                place: reader.place_at(error.line, error.column, None),
                help: Some(document_help(&error).to_owned()),
                message: error.message,
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

/// Returns how to mend a text that is not the YAML of a playbook.
fn document_help(error: &noetl_yaml::Error) -> &'static str {
    let says = |words: &str| error.message.contains(words);
    match error.kind {
        ErrorKind::Limit => "split the playbook into several that call each other",
        _ if says("second document") => "write each playbook into a file of its own",
        _ if says("tabs") => "indent with spaces",
        _ if says("block") || says("expected key") => {
            "indent this line as those beside it; strings with `:` or `{` in them need quotes"
        }
        _ => "strings with `:` or `{` in them need quotes",
    }
}

fn graph_of(steps: &[Step]) -> Graph {
    let edges = steps
        .iter()
        .map(|step| (step.name.as_str(), step.targets().collect()));
    Graph::new(&edges.collect::<Vec<_>>())
}

impl Reader<'_> {
    /// Reads the root; none when there are no steps.
    fn playbook(&mut self, root: &Node) -> Option<Playbook> {
        if !matches!(root.kind, Kind::Mapping(_)) {
            let place = self.place(root, "");
            let message = format!("a playbook is a mapping, and this is {}", noun(root));
            self.fail(place, message, "begin with `apiVersion: noetl.io/v2`");
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
                "add `metadata: {name: …}`",
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
        let has_spec = root.get("spec").is_some() && !workload.contains_key("spec");
        if let Some(spec) = root.get("spec") {
            workload.entry("spec").or_insert_with(|| spec.to_json());
        }
        let workload_schema = self.workload_schema(root);
        let executor = self.executor(root);
        let keychain = self.keychain(root);
        let on_error = self.on_error(root);
        self.workbook(root);
        let steps = self.workflow(root);
        self.check_targets(&executor, &on_error, &steps, root);
        (!steps.is_empty()).then(|| Playbook {
            file: self.file.to_owned(),
            path: path.unwrap_or_else(|| name.clone()),
            name,
            description,
            executor,
            workload,
            has_spec,
            workload_schema,
            on_error,
            keychain,
            graph: graph_of(&steps),
            steps,
            warnings: Vec::new(),
        })
    }

    fn workbook(&mut self, root: &Node) {
        for (index, node) in self.list(root, "workbook", "workbook").iter().enumerate() {
            let path = format!("workbook[{index}]");
            let Some(name) = self.text(node, "name", &path) else {
                let place = self.place(node, &path);
                self.fail(
                    place,
                    "a workbook entry has no name",
                    "add `name: NAME`, which steps use as `tool: {kind: workbook, name: NAME}`",
                );
                continue;
            };
            let Some(tool) = node.get("tool") else {
                let place = self.place(node, &path);
                self.fail(
                    place,
                    format!("the workbook's `{name}` has no tool"),
                    "add `tool: {kind: …}`",
                );
                continue;
            };
            if let Some(task) = self.task(tool, &format!("{path}.tool"), &name, Some(node)) {
                self.workbook.insert(name, task);
            }
        }
    }

    fn workflow(&mut self, root: &Node) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        let nodes = self.list(root, "workflow", "workflow");
        if nodes.is_empty() {
            let place = self.place(root.get("workflow").unwrap_or(root), "workflow");
            self.fail(
                place,
                "the workflow has no steps",
                "add `workflow:` with a list of steps",
            );
        }
        for (index, node) in nodes.iter().enumerate() {
            self.step = node.get("step").and_then(Node::as_str).map(str::to_owned);
            if let Some(step) = self.step(node, index) {
                if let Some(line) = lines.insert(step.name.clone(), step.place.line) {
                    let place = step.place.clone();
                    self.fail(
                        place,
                        format!("line {line} has a step of this name already"),
                        "give one of them another name",
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
