//! One step: its guards, loop, assignments, and the order in which they are read.

use super::super::{Admission, Loop, Step};
use super::Reader;
use super::route::WHEN;
use crate::yaml::{Kind, Node};

/// Iterations of a parallel loop at once, when it does not say.
const MAX_IN_FLIGHT: usize = 10;

impl Reader<'_> {
    pub(super) fn step(&mut self, node: &Node, index: usize) -> Option<Step> {
        let path = format!("workflow[{index}]");
        if !matches!(node.kind, Kind::Mapping(_)) {
            let place = self.place(node, &path);
            let message = format!("a step is a mapping, and this is {}", node.noun());
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
        if let Some(kind) = node.get("type") {
            let place = self.place(kind, "type");
            self.fail(
                place,
                "`type` on a step belongs to noetl.io/v1",
                Some("write `tool: {kind: …}`"),
            );
        }
        let repeat = self.repeat(node);
        let tasks = self.tasks(node);
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
            repeat,
            tasks,
            set: self.assignments(node, ""),
            cases: self.cases(node),
            sink,
            next: self.next(node),
            name,
        })
    }

    fn repeat(&mut self, node: &Node) -> Option<Loop> {
        let repeat = self.mapping(node, "loop", "loop")?;
        let Some(items) = repeat.get("in").or_else(|| repeat.get("collection")) else {
            let place = self.place(repeat, "loop.in");
            self.fail(
                place,
                "the loop has nothing to loop over",
                Some("add `in: \"{{ … }}\"`"),
            );
            return None;
        };
        let items = self.field("in", items, "loop.in");
        let iterator = ["iterator", "element", "as"]
            .iter()
            .find_map(|key| self.text(repeat, key, "loop.iterator"))
            .unwrap_or_else(|| "item".to_owned());
        let spec = repeat.get("spec");
        let setting = |key| {
            spec.and_then(|spec| spec.get(key))
                .or_else(|| repeat.get(key))
        };
        let mode = setting("mode")
            .and_then(Node::as_str)
            .unwrap_or("sequential");
        let limit = setting("max_in_flight").or_else(|| setting("concurrency"));
        let fallback = match mode {
            "sequential" => 1,
            "parallel" | "async" => MAX_IN_FLIGHT,
            other => {
                let place = self.place(repeat, "loop.mode");
                let message = format!("mode `{other}` is neither `sequential` nor `parallel`");
                self.fail(place, message, None);
                1
            }
        };
        let path = "loop.spec.max_in_flight";
        let mut max_in_flight = self.field("max_in_flight", limit.unwrap_or(repeat), path);
        if limit.is_none() || mode == "sequential" {
            max_in_flight.value = fallback.into();
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

    /// `spec.policy.admit.rules`, and the older `when` on the step itself.
    fn admissions(&mut self, node: &Node) -> Vec<Admission> {
        let mut admissions = Vec::new();
        if let Some(when) = self.condition(node, &WHEN, "") {
            admissions.push(Admission {
                when: Some(when),
                allow: true,
            });
            admissions.push(Admission {
                when: None,
                allow: false,
            });
        }
        let path = "spec.policy.admit.rules";
        let rules = node
            .get("spec")
            .and_then(|spec| spec.get("policy"))
            .and_then(|policy| policy.get("admit"));
        let Some(rules) = rules else {
            return admissions;
        };
        for (index, rule) in self.list(rules, "rules", path).iter().enumerate() {
            let path = format!("{path}[{index}]");
            let when = self.condition(rule, &WHEN, &path);
            let body = rule.get("else").unwrap_or(rule);
            let then = body.get("then").unwrap_or(body);
            let allow = then.get("allow").map(|node| &node.kind);
            let Some(Kind::Bool(allow)) = allow else {
                let place = self.place(rule, &path);
                self.fail(
                    place,
                    "an admission rule says neither yes nor no",
                    Some("add `then: {allow: true}`"),
                );
                continue;
            };
            admissions.push(Admission {
                when,
                allow: *allow,
            });
        }
        admissions
    }
}
