//! A step and its loop.

use noetl_yaml::{Kind, Node};

use super::super::document::noun;
use super::super::model::{Loop, Step};
use super::super::task::{Assignment, Task, VariableScope};
use super::keys;
use super::reader::Reader;

/// Iterations of a parallel loop that run at once, unless the loop sets a number.
const MAX_IN_FLIGHT: usize = 10;

impl Reader<'_> {
    /// Reads a step; none when it has no name.
    pub(super) fn step(&mut self, node: &Node, index: usize) -> Option<Step> {
        let path = format!("workflow[{index}]");
        if !matches!(node.kind, Kind::Mapping(_)) {
            let place = self.place(node, &path);
            let message = format!("a step is a mapping, and this is {}", noun(node));
            self.fail(place, message, Some("write `- step: NAME`"));
            return None;
        }
        let Some(name) = self.text(node, "step", &path) else {
            let place = self.place(node, &path);
            let help = node
                .get("name")
                .map_or("add `step: NAME`", |_| "write `step:` instead of `name:`");
            self.fail(place, "the step has no name", Some(help));
            return None;
        };
        self.check_keys(node, "", &keys::STEP, false);
        if let Some(kind) = node.get("type") {
            let place = self.place(kind, "type");
            self.fail(
                place,
                "`type` on a step belongs to noetl.io/v1",
                Some("write `tool: {kind: …}`"),
            );
        }
        let for_each = self.for_each(node);
        let tasks = self.tasks(node);
        if let Some(for_each) = &for_each {
            self.check_shared_variables(for_each, &tasks);
        }
        let wants_tool = ["code", "cmds", "query", "command", "url"];
        if tasks.is_empty()
            && let Some(key) = wants_tool.iter().find(|key| node.get(key).is_some())
            && node.get("tool").is_none()
        {
            let place = self.place(node, "tool");
            self.fail(
                place,
                format!("the step has `{key}` but no tool"),
                Some("add `tool: {kind: …}`"),
            );
        }
        let sink = node.get("sink").and_then(|sink| self.sink(sink, "sink"));
        Some(Step {
            description: self.text(node, "desc", "desc"),
            place: self.place(node, ""),
            admit: self.admissions(node),
            args: self.arguments(node, &["args", "input"], ""),
            for_each,
            tasks,
            set: self.assignments(node, ""),
            cases: self.cases(node),
            sink,
            next: self.next(node),
            name,
        })
    }

    /// Refuses a parallel loop whose turns compute a variable from its value before: they would not see each other's.
    fn check_shared_variables(&mut self, for_each: &Loop, tasks: &[Task]) {
        if for_each.max_in_flight.value == 1 {
            return;
        }
        let ruled = tasks.iter().flat_map(|task| &task.rules);
        let ruled = ruled.flat_map(|rule| &rule.set);
        let assigned = tasks.iter().flat_map(|task| &task.set).chain(ruled);
        for Assignment { scope, field } in assigned {
            let reads = |name: &str| ["ctx", "vars", &field.name].contains(&name);
            if *scope == VariableScope::Ctx && field.roots().any(reads) {
                let message = format!(
                    "`{}` is computed from variables of the execution in a parallel loop, whose turns do not see each \
                     other's values",
                    field.name
                );
                let help = "write `mode: sequential`, or compute it from the loop's results in a later step";
                self.fail(field.place.clone(), message, Some(help));
            }
        }
    }

    fn for_each(&mut self, node: &Node) -> Option<Loop> {
        let body = self.mapping(node, "loop", "loop")?;
        self.check_keys(body, "loop", &keys::LOOP, false);
        let Some(items) = body.get("in").or_else(|| body.get("collection")) else {
            let place = self.place(body, "loop.in");
            self.fail(
                place,
                "the loop has no items",
                Some("add `in: \"{{ … }}\"`"),
            );
            return None;
        };
        let items = self.field("in", items, "loop.in");
        let iterator = ["iterator", "element", "as"]
            .iter()
            .find_map(|key| self.text(body, key, "loop.iterator"))
            .unwrap_or_else(|| "item".to_owned());
        let spec = body.get("spec");
        let setting = |key| {
            spec.and_then(|spec| spec.get(key))
                .or_else(|| body.get(key))
        };
        let mode = setting("mode")
            .and_then(Node::as_str)
            .unwrap_or("sequential");
        let limit = setting("max_in_flight").or_else(|| setting("concurrency"));
        let default = match mode {
            "sequential" => 1,
            "parallel" | "async" => MAX_IN_FLIGHT,
            other => {
                let place = self.place(body, "loop.mode");
                let message = format!("mode `{other}` is neither `sequential` nor `parallel`");
                self.fail(place, message, None);
                1
            }
        };
        let path = "loop.spec.max_in_flight";
        let mut max_in_flight = self.field("max_in_flight", limit.unwrap_or(body), path);
        if limit.is_none() || mode == "sequential" {
            max_in_flight.value = default.into();
            max_in_flight.find_roots();
        } else if !max_in_flight.value.is_string()
            && max_in_flight.value.as_u64().is_none_or(|limit| limit == 0)
        {
            let place = max_in_flight.place.clone();
            self.fail(place, "`max_in_flight` is a whole number from 1", None);
        }
        Some(Loop {
            items,
            iterator,
            max_in_flight,
        })
    }
}
