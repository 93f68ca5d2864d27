//! `next` in each of its forms, and the edges of case rules.

use noetl_yaml::{Node, Value};

use super::super::document::noun;
use super::super::model::{Edge, Next};
use super::keys;
use super::reader::Reader;
use crate::field::Field;
use crate::path;

/// Keys of a condition.
pub(super) const WHEN: [&str; 4] = ["when", "cond", "condition", "if"];

/// Keys of arguments.
pub(super) const ARGS: [&str; 4] = ["args", "input", "with", "data"];

impl Reader<'_> {
    /// Reads the steps that follow a step.
    ///
    /// A plain list without conditions goes to all of its steps. With a condition, or as a router, it goes
    /// to the first whose condition holds; with `mode: inclusive` to all of those.
    pub(super) fn next(&mut self, step: &Node) -> Next {
        let step_mode = step.get("spec").and_then(|spec| spec.get("next_mode"));
        let Some(node) = step.get("next") else {
            return Next::default();
        };
        let edges = self.edges(node, "next", None);
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
                self.fail(place, message, "write `mode: exclusive` for the first arc that holds, `mode: inclusive` for all");
                false
            }
            None => !router && edges.iter().all(|edge| edge.when.is_none()),
        };
        Next { inclusive, edges }
    }

    /// Reads `on_error`: the names of steps.
    pub(super) fn on_error(&mut self, node: &Node) -> Vec<String> {
        let Some(value) = node.get("on_error") else {
            return Vec::new();
        };
        let edges = self.edges(value, "on_error", None);
        for edge in &edges {
            if edge.when.is_some() || !edge.args.is_empty() || !edge.set.is_empty() {
                let message = "`on_error` names steps, and takes neither conditions nor values";
                let help =
                    "write `on_error: STEP`; the step sees `execution.error` and may have a `when`";
                self.fail(edge.place.clone(), message, help);
            }
        }
        edges.into_iter().map(|edge| edge.step).collect()
    }

    /// Reads the edges of a string, a list, a mapping or a router.
    pub(super) fn edges(&mut self, node: &Node, path: &str, when: Option<&Field>) -> Vec<Edge> {
        match node.value() {
            Value::String(target) => vec![self.edge(target, node, path, when.cloned())],
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .flat_map(|(index, item)| self.edges(item, &format!("{path}[{index}]"), when))
                .collect(),
            Value::Mapping(_) => self.mapped_edges(node, path, when),
            _ => {
                let place = self.place(node, path);
                let message = format!("a step's name was expected, and this is {}", noun(node));
                self.fail(place, message, "write `next: [{step: NAME}]`");
                Vec::new()
            }
        }
    }

    fn mapped_edges(&mut self, node: &Node, path: &str, when: Option<&Field>) -> Vec<Edge> {
        if let Some(arcs) = node.get("arcs") {
            return self.edges(arcs, &format!("{path}.arcs"), when);
        }
        self.check_keys(node, path, &keys::ARC, false);
        let own = self.condition(node, &WHEN, path);
        let when = own.as_ref().or(when);
        let target = ["step", "target", "to"]
            .iter()
            .find_map(|key| node.get(key));
        if let Some(target) = target {
            let Some(name) = target.as_str() else {
                let place = self.place(target, &path::key(path, "step"));
                self.fail(
                    place,
                    format!("a step's name is a string, and this is {}", noun(target)),
                    "write `step: NAME`",
                );
                return Vec::new();
            };
            let mut edge = self.edge(name, target, path, when.cloned());
            edge.args = self.arguments(node, &ARGS, path);
            edge.set = self.assignments(node, path);
            return vec![edge];
        }
        // `{when, then: [...]}`, `{else: [...]}` and `{next: [...]}` of the first two dialects.
        let nested: Vec<_> = ["then", "else", "next"]
            .into_iter()
            .filter_map(|key| Some((key, node.get(key)?)))
            .collect();
        if nested.is_empty() {
            let place = self.place(node, path);
            self.fail(
                place,
                "this arc names no step",
                "write `{step: NAME, when: …}`",
            );
        }
        let mut edges = Vec::new();
        for (key, value) in nested {
            let when = if key == "else" { None } else { when };
            edges.extend(self.edges(value, &path::key(path, key), when));
        }
        edges
    }

    fn edge(&self, target: &str, node: &Node, path: &str, when: Option<Field>) -> Edge {
        Edge {
            step: target.to_owned(),
            when,
            args: Vec::new(),
            set: Vec::new(),
            place: self.place(node, path),
        }
    }
}
