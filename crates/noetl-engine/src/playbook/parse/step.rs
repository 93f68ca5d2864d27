//! A step and its loop.

use noetl_yaml::{Kind, Node};

use super::super::document::noun;
use super::super::model::{Loop, Step};
use super::super::task::{Assignment, Task, VariableScope};
use super::keys;
use super::reader::Reader;

impl Reader<'_> {
    /// Reads a step; none when it has no name.
    pub(super) fn step(&mut self, node: &Node, index: usize) -> Option<Step> {
        let path = format!("workflow[{index}]");
        if !matches!(node.kind, Kind::Mapping(_)) {
            let place = self.place(node, &path);
            let message = format!("a step is a mapping, and this is {}", noun(node));
            self.fail(place, message, "write `- step: NAME`");
            return None;
        }
        let Some(name) = self.text(node, "step", &path) else {
            let place = self.place(node, &path);
            let help = node
                .get("name")
                .map_or("add `step: NAME`", |_| "write `step:` instead of `name:`");
            self.fail(place, "the step has no name", help);
            return None;
        };
        self.check_keys(node, "", &keys::STEP, false);
        if let Some(kind) = node.get("type") {
            let place = self.place(kind, "type");
            self.fail(
                place,
                "`type` on a step belongs to noetl.io/v1",
                "write `tool: {kind: …}`",
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
                "add `tool: {kind: …}`",
            );
        }
        let sink = node.get("sink").and_then(|sink| self.sink(sink, "sink"));
        Some(Step {
            description: self.text(node, "desc", "desc"),
            place: self.place(node, ""),
            admit: self.admissions(node),
            args: self.arguments(node, &["args", "input"], ""),
            for_each,
            tasks: tasks.into(),
            set: self.assignments(node, ""),
            cases: self.cases(node),
            sink,
            next: self.next(node),
            on_error: self.on_error(node),
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
                self.fail(field.place.clone(), message, help);
            }
        }
    }
}
