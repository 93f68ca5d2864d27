//! `tool`: one call, a list of calls, or a mapping of names to calls.

use noetl_yaml::{Entry, Kind, Node, Value};
use serde_json::{Map, Value as Json};

use super::super::distance::distance;
use super::super::document::noun;
use super::super::task::{RuleAction, Task};
use super::super::tool_kind::ToolKind;
use super::keys;
use super::reader::Reader;
use crate::field::Field;
use crate::path;
use crate::template;
use noetl_api::{Place, Problem, Severity};

/// Keys of a task that are not fields of its tool.
const TASK_KEYS: [&str; 11] = [
    "name",
    "kind",
    "args",
    "input",
    "with",
    "spec",
    "retry",
    "output_select",
    "set",
    "set_ctx",
    "set_iter",
];
/// Fields of a tool that older playbooks have on the step, beside `tool`.
const STEP_FIELDS: [&str; 18] = [
    "auth",
    "query",
    "command",
    "commands",
    "code",
    "url",
    "endpoint",
    "method",
    "headers",
    "params",
    "parameters",
    "script",
    "path",
    "return_step",
    "database",
    "cmds",
    "payload",
    "timeout",
];

impl Reader<'_> {
    /// Reads the pipeline of a step; empty when it only routes.
    pub(super) fn tasks(&mut self, step: &Node) -> Vec<Task> {
        let Some(tool) = step.get("tool") else {
            return Vec::new();
        };
        let name = step.get("step").and_then(Node::as_str).unwrap_or("task");
        let mut tasks = Vec::new();
        match &tool.kind {
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("tool[{index}]");
                    self.named_tasks(item, &path, &format!("task_{index}"), None, &mut tasks);
                }
            }
            _ => self.named_tasks(tool, "tool", name, Some(step), &mut tasks),
        }
        for index in 1..tasks.len() {
            let name = tasks[index].name.clone();
            if tasks[..index].iter().any(|task| task.name == name) {
                let place = tasks[index].config.place.clone();
                self.fail(
                    place,
                    format!("two tasks of this pipeline are called `{name}`"),
                    "give one of them another `name`",
                );
            }
        }
        for (task, rule) in tasks
            .iter()
            .flat_map(|task| task.rules.iter().map(move |rule| (task, rule)))
        {
            if let RuleAction::Jump { to } = &rule.action
                && !tasks.iter().any(|task| task.name == *to)
            {
                let place = task.config.place.clone();
                self.problems.push(Problem {
                    severity: Severity::Error,
                    place,
                    message: format!(
                        "a rule jumps to `{to}`, which is not a task of this pipeline"
                    ),
                    help: Some("name a task of this pipeline".to_owned()),
                });
            }
        }
        tasks
    }

    /// Reads `{kind: …}`, or `{name: {kind: …}, …}`.
    fn named_tasks(
        &mut self,
        node: &Node,
        path: &str,
        name: &str,
        step: Option<&Node>,
        tasks: &mut Vec<Task>,
    ) {
        let are_named = node.get("kind").is_none()
            && !node.entries().is_empty()
            && node
                .entries()
                .iter()
                .all(|entry| entry.value.get("kind").is_some());
        if are_named {
            for entry in node.entries() {
                tasks.extend(self.task(
                    &entry.value,
                    &path::key(path, &entry.key),
                    &entry.key,
                    None,
                ));
            }
            return;
        }
        let name = node
            .get("name")
            .and_then(Node::as_str)
            .filter(|_| step.is_none())
            .unwrap_or(name);
        tasks.extend(self.task(node, path, name, step));
    }

    /// Reads one task. `outer` is the step or sink, which may have fields of the tool.
    pub(super) fn task(
        &mut self,
        node: &Node,
        path: &str,
        name: &str,
        outer: Option<&Node>,
    ) -> Option<Task> {
        let kind_name = self.kind_name(node, path)?;
        if kind_name == "workbook" {
            return self.workbook_task(node, path, name);
        }
        let kind_place = self.place(node.get("kind").unwrap_or(node), &path::key(path, "kind"));
        let Some(kind) = ToolKind::from_name(&kind_name) else {
            self.unsupported(
                kind_place,
                &kind_name,
                "tool",
                &ToolKind::ALL.map(ToolKind::name),
            );
            return None;
        };
        self.check_keys(node, path, &keys::TOOL, true);
        let mut config = self.config(node, path, outer);
        if kind == ToolKind::Python {
            // Errors of the interpreter count lines from the first one of the code.
            let nodes = [Some(node), node.get("spec"), outer];
            let code = nodes
                .into_iter()
                .flatten()
                .find_map(|node| node.get("code"));
            config
                .lines
                .extend(code.map(|code| ("code".to_owned(), code.text_line())));
        }
        if let (ToolKind::Secrets, Some(secret)) = (kind, node.get("name"))
            && let Some(fields) = config.value.as_object_mut()
        {
            fields.insert("name".to_owned(), secret.to_json());
            config.find_roots();
        }
        // An entry of the workbook that no step uses may lack what a call needs.
        if self.step.is_some() {
            self.check_required_field(kind, &config, path);
        }
        self.check_values(kind, &config, path);
        self.check_script_source(&config, path);
        let spec = node.get("spec");
        if let Some(spec) = spec {
            self.check_keys(spec, &path::key(path, "spec"), &keys::SPEC, true);
        }
        let mut args = self.arguments(node, &["args", "input", "with"], path);
        if let Some(spec) = spec {
            args.extend(self.arguments(spec, &["args", "input"], &path::key(path, "spec")));
        }
        if kind != ToolKind::Playbook
            && node.as_str().is_some()
            && let Some(outer) = outer
            && outer.get("step").is_none()
        {
            args.extend(self.arguments(outer, &["args", "input"], path));
        }
        let policy = spec.and_then(|spec| spec.get("policy"));
        Some(Task {
            name: name.to_owned(),
            kind,
            args,
            rules: policy.map_or_else(Vec::new, |policy| {
                self.rules(policy, &path::key(path, "spec.policy"))
            }),
            set: self.set_assignments(node, path),
            retry: node
                .get("retry")
                .filter(|retry| retry.as_bool() != Some(false))
                .map(|retry| self.retry(retry, &path::key(path, "retry"), 3, 1.0)),
            timeout: self.task_timeout(node, path, outer),
            config,
        })
    }

    /// Reads the timeout of a task: its own, or that of its step.
    fn task_timeout(&mut self, node: &Node, path: &str, outer: Option<&Node>) -> Option<f64> {
        let spec = path::key(path, "spec");
        self.timeout(&[
            (Some(node), path),
            (node.get("spec"), &spec),
            (outer, ""),
            (outer.and_then(|outer| outer.get("spec")), "spec"),
        ])
    }

    /// Reads the name of the tool: a mapping's `kind`, or the text itself.
    fn kind_name(&mut self, node: &Node, path: &str) -> Option<String> {
        let place = self.place(node, path);
        match node.value() {
            Value::String(kind) => Some(kind.to_owned()),
            Value::Mapping(_) => {
                let kind = self.text(node, "kind", &path::key(path, "kind"));
                if kind.is_none() {
                    self.fail(
                        place,
                        "the tool has no kind",
                        "add `kind: shell`, or another tool",
                    );
                }
                kind
            }
            _ => {
                self.fail(
                    place,
                    format!("a tool is a mapping, and this is {}", noun(node)),
                    "write `tool: {kind: shell, cmds: …}`",
                );
                None
            }
        }
    }

    /// Adds the problem of a kind that NoETL does not have. `noun` is `tool` or `sink`, `supported` what it has.
    pub(super) fn unsupported(
        &mut self,
        mut place: Place,
        kind: &str,
        noun: &str,
        supported: &[&str],
    ) {
        place.field = None;
        let nearest = supported
            .iter()
            .map(|known| (distance(kind, known), *known))
            .filter(|(distance, known)| *distance <= known.len() / 3)
            .min()
            .map(|(_, known)| format!("did you mean `{known}`?"));
        let help = ToolKind::instead_of(kind).map(str::to_owned).or(nearest);
        let help = help.unwrap_or_else(|| format!("write the {noun} with one of them"));
        let supported = supported.join(", ");
        self.fail(
            place,
            format!("{noun} `{kind}` is not supported by this NoETL; supported are {supported}"),
            &help,
        );
    }

    fn workbook_task(&mut self, node: &Node, path: &str, name: &str) -> Option<Task> {
        let wanted = ["task", "name"]
            .iter()
            .find_map(|key| node.get(key).and_then(Node::as_str));
        let Some(mut task) = wanted.and_then(|wanted| self.workbook.get(wanted)).cloned() else {
            let place = self.place(node, path);
            let message = match wanted {
                Some(wanted) => format!("the workbook has no `{wanted}`"),
                None => "a workbook tool needs the name of a workbook entry".to_owned(),
            };
            self.fail(place, message, "add an entry of this name to `workbook`");
            return None;
        };
        self.check_required_field(task.kind, &task.config, path);
        for given in self.arguments(node, &["args", "input", "with"], path) {
            task.args.retain(|known| known.name != given.name);
            task.args.push(given);
        }
        name.clone_into(&mut task.name);
        Some(task)
    }

    /// Reads the tool's own fields: those of the tool, of its `spec`, and of the step or sink.
    fn config(&mut self, node: &Node, path: &str, outer: Option<&Node>) -> Field {
        let mut config = self.field("tool", node, path);
        let mut fields = match std::mem::take(&mut config.value) {
            Json::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.retain(|key, _| !TASK_KEYS.contains(&key.as_str()));
        let mut add =
            |reader: &mut Self, node: &Node, is_field: &dyn Fn(&str) -> bool, path: &str| {
                for Entry { key, value, .. } in node.entries() {
                    if is_field(key) && !fields.contains_key(&**key) {
                        let field = reader.field(key, value, &path::key(path, key));
                        config.lines.insert(key.to_string(), field.place.line);
                        for (inner, line) in field.lines {
                            config.lines.insert(path::join(key, &inner), line);
                        }
                        fields.insert(key.to_string(), field.value);
                    }
                }
            };
        if let Some(spec) = node.get("spec") {
            let is_field =
                |key: &str| !["policy", "timeout", "timeout_s", "args", "input"].contains(&key);
            add(self, spec, &is_field, &path::key(path, "spec"));
        }
        if let Some(outer) = outer {
            let is_bare = node.as_str().is_some();
            let is_sink = outer.get("step").is_none();
            let is_field = |key: &str| {
                STEP_FIELDS.contains(&key)
                    || (is_bare && is_sink && !["tool", "args", "input"].contains(&key))
            };
            add(self, outer, &is_field, "");
        }
        config.value = Json::Object(fields);
        config.find_roots();
        config
    }

    /// Checks `script: {source: {type}}`: a script from a service is a problem.
    fn check_script_source(&mut self, config: &Field, path: &str) {
        let kind = config.value.pointer("/script/source/type");
        let Some(kind) = kind.and_then(Json::as_str) else {
            return;
        };
        if ["file", "inline", "http", "https"].contains(&kind) || template::is_template(kind) {
            return;
        }
        let inner = "script.source.type";
        let mut place = config.place.clone();
        place.line = config.lines.get(inner).copied().unwrap_or(place.line);
        place.field = Some(path::join(path, inner));
        self.fail(
            place,
            format!("scripts from the source `{kind}` are not supported by this NoETL; supported are file, http, https, inline"),
            "put the script beside the playbook and use the source `file`");
    }

    /// Checks that a tool has the field that it cannot do without.
    fn check_required_field(&mut self, kind: ToolKind, config: &Field, path: &str) {
        let any: &[&str] = match kind {
            ToolKind::Noop | ToolKind::Sink => return,
            ToolKind::Shell => &[
                "cmds", "cmd", "command", "commands", "script", "code", "run",
            ],
            ToolKind::Http => &["url", "endpoint"],
            ToolKind::Python => &["code", "code_b64", "script"],
            ToolKind::Playbook => &["path"],
            ToolKind::Postgres | ToolKind::Sqlite | ToolKind::Duckdb => {
                &["query", "command", "commands", "sql", "statement", "script"]
            }
            ToolKind::Transfer => &["source"],
            ToolKind::Secrets => &["name", "key"],
        };
        if any.iter().any(|key| config.value.get(key).is_some()) {
            return;
        }
        let mut place = config.place.clone();
        place.field = Some(path::join(path, any[0]));
        self.fail(
            place,
            format!("the {} tool has no `{}`", kind.name(), any[0]),
            &format!("add `{}: …`", any[0]),
        );
    }
}
