//! `sink`, in each of its forms.

use noetl_yaml::{Kind, Node, Scalar, Style, Value};
use serde_json::Value as Json;

use super::super::task::Task;
use super::super::tool_kind::ToolKind;
use super::reader::Reader;
use super::route::ARGS;
use crate::path;

impl Reader<'_> {
    /// Reads `sink`, in each of its forms, as a task.
    pub(super) fn sink(&mut self, node: &Node, path: &str) -> Option<Task> {
        let tool = node.get("tool");
        let kind = match tool.map(|tool| (tool.value(), tool)) {
            Some((Value::String(kind), _)) => Some(kind.to_owned()),
            Some((_, tool)) => self.text(tool, "kind", &path::key(path, "tool.kind")),
            None => ["backend", "storage", "kind"]
                .iter()
                .find_map(|key| node.get(key).and_then(Node::as_str).map(str::to_owned)),
        };
        // With a query, code or URL it is an ordinary call of its tool.
        let body = tool
            .filter(|tool| !tool.entries().is_empty())
            .unwrap_or(node);
        let call_fields = [
            "query",
            "command",
            "commands",
            "sql",
            "statement",
            "code",
            "url",
            "endpoint",
            "cmds",
        ];
        if tool.is_some()
            && call_fields
                .iter()
                .any(|key| body.get(key).is_some() || node.get(key).is_some())
        {
            return self.task(tool?, &path::key(path, "tool"), "sink", Some(node));
        }
        match kind.as_deref() {
            Some("event_log" | "event" | "log" | "noop") => {
                let event_log = Scalar {
                    text: "event_log".into(),
                    style: Style::Plain,
                    string_tag: true,
                };
                let event_log = Node {
                    kind: Kind::Scalar(event_log),
                    ..node.clone()
                };
                let mut task = self.task(tool.unwrap_or(&event_log), path, "sink", Some(node))?;
                task.args = self.arguments(node, &ARGS, path);
                Some(task)
            }
            Some("file" | "postgres" | "sqlite" | "duckdb" | "sink") | None => {
                Some(self.sink_task(node, path, kind))
            }
            Some(other) => {
                let place = self.place(node, path);
                let supported = ["file", "postgres", "sqlite", "duckdb", "event_log"];
                self.unsupported(place, other, "sink", &supported);
                None
            }
        }
    }

    /// Reads a sink that is not a call of another tool. Its fields are those of `tool`, and of the sink itself.
    fn sink_task(&mut self, node: &Node, path: &str, kind: Option<String>) -> Task {
        let tool = node.get("tool").filter(|tool| !tool.entries().is_empty());
        let mut config = self.field("sink", tool.unwrap_or(node), path);
        let outer = self.field("sink", node, path).value;
        if let (Some(config), Json::Object(outer)) = (config.value.as_object_mut(), outer) {
            if let Some(kind) = kind.filter(|kind| kind != "sink") {
                config.insert("type".to_owned(), kind.into());
            }
            for (key, value) in outer {
                config.entry(key).or_insert(value);
            }
            for key in ["tool", "kind", "args", "input", "spec", "name"] {
                config.shift_remove(key);
            }
        }
        config.find_roots();
        let mut args = self.arguments(node, &["args", "input"], path);
        if let Some(tool) = tool {
            args.extend(self.arguments(tool, &["args", "input"], &path::key(path, "tool")));
        }
        Task {
            name: "sink".to_owned(),
            kind: ToolKind::Sink,
            config,
            args,
            rules: Vec::new(),
            set: Vec::new(),
            retry: None,
            timeout: None,
        }
    }
}
