//! Drawn texts and JSON values.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Playbooks that begin, each with other parts of the language.
pub(super) const PLAYBOOKS: [&str; 4] = [
    r#"{"apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "two", "path": "fuzz/two"},
        "workload": {"a": 1}, "workflow": [
        {"step": "start", "tool": {"kind": "noop"}, "set": {"x": "{{ a + 1 }}"}, "next": [{"step": "end"}]},
        {"step": "end", "tool": {"kind": "shell", "cmds": ["true"]}}]}"#,
    r#"{"apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "loop", "path": "fuzz/loop"},
        "workflow": [{"step": "start", "loop": {"in": "{{ items }}", "iterator": "item", "mode": "parallel"},
        "tool": {"kind": "http", "url": "http://127.0.0.1:1/{{ item }}"}, "retry": {"max_attempts": 3}}]}"#,
    r#"{"apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "calls", "path": "fuzz/calls"},
        "workflow": [{"step": "start", "tool": {"kind": "playbook", "path": "fuzz/two"}, "next": {"spec": {"mode": "exclusive"},
        "arcs": [{"step": "end", "when": "{{ start.x > 1 }}"}, {"step": "start"}]}}, {"step": "end"}]}"#,
    "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata:\n  name: text\n  path: fuzz/text\nworkload: &w {a: [1, 2]}\n\
     workflow:\n- step: start\n  tool:\n  - one: {kind: python, code: \"result = 1\"}\n  - two: {kind: noop}\n  args: *w\n",
];

/// Texts that mean something somewhere.
const TEXTS: [&str; 40] = [
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "NaN",
    "null",
    "true",
    "latest",
    "\0",
    "\u{1b}[31m",
    "\u{202e}abc",
    "ä😀",
    "%00",
    "%",
    "..",
    "../../etc/passwd",
    "/",
    "a/b c",
    "'",
    "\"",
    "\\",
    "`",
    "; DROP TABLE event",
    "{{ x }}",
    "{{ [1, 2][5:] }}",
    "{% for a in range(9) %}{{ a }}{% endfor %}",
    "{{",
    "{% raw %}",
    "2026-11-26T00:00:00Z",
    "-999999-01-01T00:00:00Z",
    "call.done",
    "RUNNING",
    "<script>",
    "\u{fffd}",
    "_",
    "x-y_z.0",
];

/// Draws texts and values.
pub(super) struct Draw(pub(super) Rng);

impl Draw {
    pub(super) fn one_in(&mut self, of: usize) -> bool {
        self.0.usize(..of) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.0.usize(..from.len())])
    }

    pub(super) fn text(&mut self) -> String {
        match self.0.u8(..12) {
            0..=6 => TEXTS[self.0.usize(..TEXTS.len())].to_owned(),
            7 | 8 => self.0.i64(..).to_string(),
            9 => {
                let count = self.0.usize(..20);
                (0..count).map(|_| self.0.char(..)).collect()
            }
            10 => TEXTS[self.0.usize(..TEXTS.len())].repeat(self.0.usize(..200)),
            _ => {
                let text = PLAYBOOKS[self.0.usize(..PLAYBOOKS.len())];
                self.mutated(text)
            }
        }
    }

    /// Returns a text of a playbook, which is changed in one place in half of the cases.
    pub(super) fn playbook(&mut self) -> String {
        let text = PLAYBOOKS[self.0.usize(..PLAYBOOKS.len())];
        if self.0.bool() {
            return text.to_owned();
        }
        match serde_json::from_str(text) {
            Ok(mut value) if self.0.bool() => {
                self.change(&mut value);
                value.to_string()
            }
            _ => self.mutated(text),
        }
    }

    /// Returns a text with one part removed, doubled or replaced.
    fn mutated(&mut self, text: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        let from = self.0.usize(..=characters.len());
        let to = (from + self.0.usize(..20)).min(characters.len());
        let (head, rest) = characters.split_at(from);
        let (middle, tail) = rest.split_at(to - from);
        let middle: String = match self.0.u8(..3) {
            0 => String::new(),
            1 => middle.iter().chain(middle).collect(),
            _ => TEXTS[self.0.usize(..TEXTS.len())].to_owned(),
        };
        let (head, tail): (String, String) = (head.iter().collect(), tail.iter().collect());
        head + &middle + &tail
    }

    /// Replaces a value somewhere within another.
    pub(super) fn change(&mut self, value: &mut Value) {
        let stop = self.one_in(4);
        match value {
            Value::Array(items) if !items.is_empty() && !stop => {
                let at = self.0.usize(..items.len());
                self.change(&mut items[at]);
            }
            Value::Object(fields) if !fields.is_empty() && !stop => {
                let at = self.0.usize(..fields.len());
                let name = fields.keys().nth(at).cloned().unwrap_or_default();
                if self.one_in(5) {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(self.text(), moved);
                } else if let Some(inner) = fields.get_mut(&name) {
                    self.change(inner);
                }
            }
            other => *other = self.json(3),
        }
    }

    pub(super) fn json(&mut self, depth: usize) -> Value {
        match self.0.u8(..if depth == 0 { 7 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.0.bool()),
            2 => json!(self.0.i64(..)),
            3 => json!(self.0.i8(..)),
            4 => json!(f64::from_bits(self.0.u64(..))),
            5 | 6 => json!(self.text()),
            7 => (0..self.0.usize(..4))
                .map(|_| self.json(depth - 1))
                .collect(),
            8 => Value::Object(
                (0..self.0.usize(..4))
                    .map(|_| (self.text(), self.json(depth - 1)))
                    .collect::<Map<_, _>>(),
            ),
            _ => (0..self.0.usize(..100)).fold(json!(1), |inner, _| json!([inner])),
        }
    }
}
