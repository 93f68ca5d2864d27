//! `next`, in each of its shapes, and the arcs of case rules.

use super::super::{Arc, Field, Next};
use super::Reader;
use super::field::join;
use crate::yaml::{Kind, Node};

/// Names under which a condition has been written.
pub(super) const WHEN: [&str; 4] = ["when", "cond", "condition", "if"];

/// Names under which arguments have been written.
pub(super) const ARGS: [&str; 4] = ["args", "input", "with", "data"];

impl Reader<'_> {
    /// Where a step leads.
    ///
    /// A plain list without any condition goes to all of its steps; with one, or as a router, to the first
    /// whose condition holds, unless `mode: inclusive` asks for all of those.
    pub(super) fn next(&mut self, step: &Node) -> Next {
        let step_mode = step.get("spec").and_then(|spec| spec.get("next_mode"));
        let Some(node) = step.get("next") else {
            return Next::default();
        };
        let arcs = self.arcs(node, "next", None);
        let router = node.get("arcs").is_some();
        let mode = node
            .get("spec")
            .and_then(|spec| spec.get("mode"))
            .or(step_mode);
        let inclusive = match mode.and_then(Node::as_str) {
            Some("inclusive" | "parallel" | "all") => true,
            Some("exclusive") => false,
            Some(other) => {
                let place = self.place(mode.unwrap_or(node), "next.spec.mode");
                let message = format!("mode `{other}` is neither `exclusive` nor `inclusive`");
                self.fail(place, message, None);
                false
            }
            None => !router && arcs.iter().all(|arc| arc.when.is_none()),
        };
        Next { inclusive, arcs }
    }

    /// The arcs of a string, a list, a mapping or a router.
    pub(super) fn arcs(&mut self, node: &Node, path: &str, when: Option<&Field>) -> Vec<Arc> {
        match &node.kind {
            Kind::String(target) => vec![self.arc(target, node, path, when.cloned())],
            Kind::Sequence(items) => items
                .iter()
                .enumerate()
                .flat_map(|(index, item)| self.arcs(item, &format!("{path}[{index}]"), when))
                .collect(),
            Kind::Mapping(_) => self.arc_mapping(node, path, when),
            _ => {
                let place = self.place(node, path);
                let message = format!("a step's name was expected, and this is {}", node.noun());
                self.fail(place, message, Some("write `next: [{step: NAME}]`"));
                Vec::new()
            }
        }
    }

    fn arc_mapping(&mut self, node: &Node, path: &str, when: Option<&Field>) -> Vec<Arc> {
        if let Some(arcs) = node.get("arcs") {
            return self.arcs(arcs, &format!("{path}.arcs"), when);
        }
        let own = self.condition(node, &WHEN, path);
        let when = own.as_ref().or(when);
        let target = ["step", "target", "to"]
            .iter()
            .find_map(|key| node.get(key));
        if let Some(target) = target {
            let Some(name) = target.as_str() else {
                let place = self.place(target, &join(path, "step"));
                self.fail(
                    place,
                    format!("a step's name is a string, and this is {}", target.noun()),
                    None,
                );
                return Vec::new();
            };
            let mut arc = self.arc(name, target, path, when.cloned());
            arc.args = self.arguments(node, &ARGS, path);
            arc.set = self.assignments(node, path);
            return vec![arc];
        }
        // `{when, then: [...]}`, `{else: [...]}` and `{next: [...]}` of the first dialects.
        let nested: Vec<_> = ["then", "else", "next"]
            .into_iter()
            .filter_map(|key| Some((key, node.get(key)?)))
            .collect();
        if nested.is_empty() {
            let place = self.place(node, path);
            self.fail(
                place,
                "this arc names no step",
                Some("write `{step: NAME, when: …}`"),
            );
        }
        let mut arcs = Vec::new();
        for (key, value) in nested {
            let when = if key == "else" { None } else { when };
            arcs.extend(self.arcs(value, &join(path, key), when));
        }
        arcs
    }

    fn arc(&self, target: &str, node: &Node, path: &str, when: Option<Field>) -> Arc {
        Arc {
            step: target.to_owned(),
            when,
            args: Vec::new(),
            set: Vec::new(),
            place: self.place(node, path),
        }
    }
}
