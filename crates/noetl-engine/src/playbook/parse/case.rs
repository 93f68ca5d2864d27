//! `case`: rules over a step's events, and their actions.

use noetl_yaml::{Entry, Node, Value};

use super::super::document::noun;
use super::super::model::{Action, Case, Collect, Repeat};
use super::super::task::VariableScope;
use super::reader::Reader;
use super::route::WHEN;
use crate::path;

/// Keys of a `retry` that are no fields of the next call.
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
    /// Reads the rules of a step.
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
                        "add `then: {next: [{step: NAME}]}`",
                    );
                    continue;
                }
            };
            let mut actions = Vec::new();
            self.actions(then, &path::key(&path, key), &mut actions);
            // Actions that leave the step come last, so that a sink beside them is done first.
            actions.sort_by_key(|action| {
                matches!(
                    action,
                    Action::Next(_) | Action::Repeat(_) | Action::Fail(_)
                )
            });
            let when = if key == "else" { None } else { when };
            cases.push(Case {
                when,
                then: actions,
            });
            if let (Some(other), "then") = (node.get("else"), key) {
                let mut actions = Vec::new();
                self.actions(other, &path::key(&path, "else"), &mut actions);
                cases.push(Case {
                    when: None,
                    then: actions,
                });
            }
        }
        cases
    }

    fn actions(&mut self, node: &Node, path: &str, actions: &mut Vec<Action>) {
        match node.value() {
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.actions(item, &format!("{path}[{index}]"), actions);
                }
            }
            Value::Mapping(_) if node.get("step").is_some() => {
                actions.push(Action::Next(self.edges(node, path, None)));
            }
            Value::Mapping(entries) => {
                for entry in entries {
                    self.action(entry, path, actions);
                }
            }
            Value::String(_) => actions.push(Action::Next(self.edges(node, path, None))),
            _ => {
                let place = self.place(node, path);
                self.fail(
                    place,
                    format!("actions were expected, and this is {}", noun(node)),
                    "write `then: {next: [{step: NAME}]}`, or another action",
                );
            }
        }
    }

    fn action(&mut self, entry: &Entry, path: &str, actions: &mut Vec<Action>) {
        let Entry { key, value, .. } = entry;
        let path = path::key(path, key);
        match &**key {
            "next" => actions.push(Action::Next(self.edges(value, &path, None))),
            // A `call` without a step calls the step's own tool again, with other fields.
            "call" if value.get("step").is_none() && !value.entries().is_empty() => {
                actions.push(Action::Repeat(self.repeat(value, &path)));
            }
            "call" => actions.extend(self.edges(value, &path, None).into_iter().map(Action::Call)),
            "set" | "set_ctx" | "vars" => {
                let mut assignments = Vec::new();
                self.assignment_values(value, VariableScope::Ctx, &path, &mut assignments);
                actions.push(Action::Set(assignments));
            }
            "result" => {
                let from = value.get("from").unwrap_or(value);
                actions.push(Action::Result(self.field("from", from, &path)));
            }
            "collect" => actions.push(Action::Collect(self.collect(value, &path))),
            "retry" => actions.push(Action::Repeat(self.repeat(value, &path))),
            "sink" | "save" => {
                if let Some(task) = self.sink(value, &path) {
                    actions.push(Action::Sink(Box::new(task)));
                }
            }
            "fail" => {
                let message = value.get("message").unwrap_or(value);
                actions.push(Action::Fail(self.field("message", message, &path)));
            }
            // Every event is in the log in any case.
            "log" => {}
            other => {
                let place = self.place(value, &path);
                self.fail(
                    place,
                    format!("`{other}` is not an action"),
                    "actions are next, call, set, result, collect, retry, sink and fail",
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
                let place = self.place(mode.unwrap_or(node), &path::key(path, "strategy"));
                let message = format!("strategy `{other}` is none of append, extend and replace");
                self.fail(
                    place,
                    message,
                    "write `strategy: append`, `extend` or `replace`",
                );
                false
            }
        };
        Collect {
            path: node
                .get("path")
                .map(|value| self.field("path", value, &path::key(path, "path"))),
            from: node
                .get("from")
                .map(|value| self.field("from", value, &path::key(path, "from"))),
            into: self.text(node, "into", &path::key(path, "into")),
            replace,
        }
    }

    fn repeat(&mut self, node: &Node, path: &str) -> Repeat {
        let overrides: Vec<_> = node
            .entries()
            .iter()
            .filter(|entry| !RETRY_KEYS.contains(&&*entry.key))
            .map(|entry| self.field(&entry.key, &entry.value, &path::key(path, &entry.key)))
            .collect();
        // Pages follow each other at once and may be many.
        let attempts = if overrides.is_empty() { 3 } else { 100 };
        let delay = if overrides.is_empty() { 1.0 } else { 0.0 };
        Repeat {
            retry: self.retry(node, path, attempts, delay),
            unbounded: !overrides.is_empty()
                && ["max_attempts", "attempts", "max_retries"]
                    .iter()
                    .all(|key| node.get(key).is_none()),
            overrides,
        }
    }
}
