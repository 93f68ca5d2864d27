//! `case`: conditions over a step's events, and what follows from them.

use super::super::{Action, Again, Case, Collect, Task, ToolKind};
use super::Reader;
use super::field::join;
use super::route::{ARGS, WHEN};
use crate::yaml::{Entry, Kind, Node};

/// Keys of a `retry` that say how often, not what.
const RETRY_KEYS: [&str; 14] = [
    "max_attempts",
    "attempts",
    "delay",
    "initial_delay",
    "backoff",
    "backoff_multiplier",
    "multiplier",
    "max_delay",
    "jitter",
    "when",
    "retry_on",
    "retry_when",
    "stop_when",
    "max_retries",
];

impl Reader<'_> {
    pub(super) fn cases(&mut self, step: &Node) -> Vec<Case> {
        let mut cases = Vec::new();
        for (index, node) in self.list(step, "case", "case").iter().enumerate() {
            let path = format!("case[{index}]");
            let when = self.condition(node, &WHEN, &path);
            let (key, then) = match (node.get("then"), node.get("else")) {
                (Some(then), _) => ("then", then),
                (None, Some(then)) => ("else", then),
                (None, None) => {
                    let place = self.place(node, &path);
                    self.fail(
                        place,
                        "the rule has no `then`",
                        Some("add `then: {next: [{step: NAME}]}`"),
                    );
                    continue;
                }
            };
            let mut actions = Vec::new();
            self.actions(then, &join(&path, key), &mut actions);
            // Whatever the order in the file, a way out comes last: a sink before it must not be lost.
            actions.sort_by_key(|action| {
                matches!(action, Action::Next(_) | Action::Retry(_) | Action::Fail(_))
            });
            let when = if key == "else" { None } else { when };
            cases.push(Case {
                when,
                then: actions,
            });
            if let (Some(other), "then") = (node.get("else"), key) {
                let mut actions = Vec::new();
                self.actions(other, &join(&path, "else"), &mut actions);
                cases.push(Case {
                    when: None,
                    then: actions,
                });
            }
        }
        cases
    }

    fn actions(&mut self, node: &Node, path: &str, actions: &mut Vec<Action>) {
        match &node.kind {
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.actions(item, &format!("{path}[{index}]"), actions);
                }
            }
            Kind::Mapping(_) if node.get("step").is_some() => {
                actions.push(Action::Next(self.arcs(node, path, None)));
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    self.action(entry, path, actions);
                }
            }
            Kind::String(_) => actions.push(Action::Next(self.arcs(node, path, None))),
            _ => {
                let place = self.place(node, path);
                self.fail(
                    place,
                    format!("actions were expected, and this is {}", node.noun()),
                    None,
                );
            }
        }
    }

    fn action(&mut self, entry: &Entry, path: &str, actions: &mut Vec<Action>) {
        let Entry { key, value, .. } = entry;
        let path = join(path, key);
        match key.as_str() {
            "next" => actions.push(Action::Next(self.arcs(value, &path, None))),
            // A `call` of no step calls its own tool again, with other fields.
            "call" if value.get("step").is_none() && !value.entries().is_empty() => {
                actions.push(Action::Retry(self.again(value, &path)));
            }
            "call" => actions.extend(self.arcs(value, &path, None).into_iter().map(Action::Call)),
            "set" | "set_ctx" | "vars" => {
                let mut assignments = Vec::new();
                self.assignment_values(value, super::super::Scope::Ctx, &path, &mut assignments);
                actions.push(Action::Set(assignments));
            }
            "result" => {
                let from = value.get("from").unwrap_or(value);
                actions.push(Action::Result(self.field("from", from, &path)));
            }
            "collect" => actions.push(Action::Collect(self.collect(value, &path))),
            "retry" => actions.push(Action::Retry(self.again(value, &path))),
            "sink" | "save" => {
                if let Some(task) = self.sink(value, &path) {
                    actions.push(Action::Sink(Box::new(task)));
                }
            }
            "fail" => {
                let message = value.get("message").unwrap_or(value);
                actions.push(Action::Fail(self.field("message", message, &path)));
            }
            // Every event is in the log; the line itself adds nothing to it.
            "log" => {}
            other => {
                let place = self.place(value, &path);
                self.fail(
                    place,
                    format!("`{other}` is not an action"),
                    Some("actions are next, call, set, result, collect, retry, sink and fail"),
                );
            }
        }
    }

    fn collect(&mut self, node: &Node, path: &str) -> Collect {
        let mode = node.get("strategy").or_else(|| node.get("mode"));
        let replace = match mode.and_then(Node::as_str) {
            Some("append" | "extend") | None => false,
            Some("replace") => true,
            Some(other) => {
                let place = self.place(mode.unwrap_or(node), &join(path, "strategy"));
                let message = format!("strategy `{other}` is none of append, extend and replace");
                self.fail(place, message, None);
                false
            }
        };
        Collect {
            path: node
                .get("path")
                .map(|value| self.field("path", value, &join(path, "path"))),
            from: node
                .get("from")
                .map(|value| self.field("from", value, &join(path, "from"))),
            into: self.text(node, "into", &join(path, "into")),
            replace,
        }
    }

    fn again(&mut self, node: &Node, path: &str) -> Again {
        let overrides: Vec<_> = node
            .entries()
            .iter()
            .filter(|entry| !RETRY_KEYS.contains(&entry.key.as_str()))
            .map(|entry| self.field(&entry.key, &entry.value, &join(path, &entry.key)))
            .collect();
        // Pages follow each other at once and may be many; failures are few and far between.
        let attempts = if overrides.is_empty() { 3 } else { 100 };
        let delay = if overrides.is_empty() { 1.0 } else { 0.0 };
        Again {
            retry: self.retry(node, path, attempts, delay),
            unbounded: !overrides.is_empty()
                && ["max_attempts", "attempts", "max_retries"]
                    .iter()
                    .all(|key| node.get(key).is_none()),
            overrides,
        }
    }

    /// `sink`, in each of its forms, as a task.
    pub(super) fn sink(&mut self, node: &Node, path: &str) -> Option<Task> {
        let tool = node.get("tool");
        let kind = match tool.map(|tool| (&tool.kind, tool)) {
            Some((Kind::String(kind), _)) => Some(kind.clone()),
            Some((_, tool)) => self.text(tool, "kind", &join(path, "tool.kind")),
            None => ["backend", "storage", "kind"]
                .iter()
                .find_map(|key| node.get(key).and_then(Node::as_str).map(str::to_owned)),
        };
        // With SQL of its own it is that tool's ordinary call.
        let body = tool
            .filter(|tool| !tool.entries().is_empty())
            .unwrap_or(node);
        let plain = [
            "query", "command", "commands", "sql", "code", "url", "endpoint", "cmds",
        ];
        if tool.is_some()
            && plain
                .iter()
                .any(|key| body.get(key).is_some() || node.get(key).is_some())
        {
            return self.task(tool?, &join(path, "tool"), "sink", Some(node));
        }
        match kind.as_deref() {
            Some("event_log" | "event" | "log" | "noop") => {
                let name = Node {
                    kind: Kind::String("event_log".to_owned()),
                    ..node.clone()
                };
                let mut task = self.task(tool.unwrap_or(&name), path, "sink", Some(node))?;
                task.args = self.arguments(node, &ARGS, path);
                Some(task)
            }
            Some("file" | "postgres" | "sqlite" | "duckdb" | "sink") | None => {
                let mut config = self.field("sink", body, path);
                let mut outer = self.field("sink", node, path).value;
                if let (Some(config), Some(outer)) =
                    (config.value.as_object_mut(), outer.as_object_mut())
                {
                    if let Some(kind) = kind.filter(|kind| kind != "sink") {
                        config.insert("type".to_owned(), kind.into());
                    }
                    for (key, value) in std::mem::take(outer) {
                        config.entry(key).or_insert(value);
                    }
                    for key in ["tool", "kind", "args", "input", "spec", "name"] {
                        config.shift_remove(key);
                    }
                }
                config.find_roots();
                let mut args = self.arguments(node, &["args", "input"], path);
                if let Some(tool) = tool.filter(|tool| !tool.entries().is_empty()) {
                    args.extend(self.arguments(tool, &["args", "input"], &join(path, "tool")));
                }
                Some(Task {
                    name: "sink".to_owned(),
                    kind: ToolKind::Sink,
                    config,
                    args,
                    rules: Vec::new(),
                    retry: None,
                    timeout: None,
                })
            }
            Some(other) => {
                let place = self.place(node, path);
                self.unsupported(place, other, "sink");
                None
            }
        }
    }
}
