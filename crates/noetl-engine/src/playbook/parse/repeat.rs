//! `loop`: what a step goes over, and how.

use noetl_yaml::Node;
use serde_json::Value as Json;

use super::super::model::{Cursor, Items, Loop};
use super::super::task::Task;
use super::super::tool_kind::ToolKind;
use super::keys;
use super::reader::Reader;

/// Iterations of a parallel loop that run at once, unless the loop sets a number.
const MAX_IN_FLIGHT: usize = 10;
/// Keys of a cursor that are no fields of its tool.
const CURSOR_KEYS: [&str; 2] = ["kind", "claim"];

impl Reader<'_> {
    /// Reads the loop of a step, if it has one.
    pub(super) fn for_each(&mut self, node: &Node) -> Option<Loop> {
        let body = self.mapping(node, "loop", "loop")?;
        self.check_keys(body, "loop", &keys::LOOP, false);
        let spec = body.get("spec");
        let setting = |key| {
            spec.and_then(|spec| spec.get(key))
                .or_else(|| body.get(key))
        };
        let listed = body.get("in").or_else(|| body.get("collection"));
        if let (Some(_), Some(cursor)) = (listed, body.get("cursor")) {
            let place = self.place(cursor, "loop.cursor");
            let message = "the loop has both `in` and `cursor`, and goes over one of them";
            self.fail(place, message, "remove the one that is not meant");
        }
        let items = match (listed, body.get("cursor")) {
            (Some(items), _) => Items::List(Box::new(self.field("in", items, "loop.in"))),
            (None, Some(cursor)) => Items::Cursor(Box::new(self.cursor(cursor, setting("frame"))?)),
            (None, None) => {
                let place = self.place(body, "loop.in");
                let help = "add `in: \"{{ … }}\"`, or `cursor:` with a statement that claims rows";
                self.fail(place, "the loop has no items", help);
                return None;
            }
        };
        let iterator = ["iterator", "element", "as"]
            .iter()
            .find_map(|key| self.text(body, key, "loop.iterator"))
            .unwrap_or_else(|| "item".to_owned());
        let mode = setting("mode")
            .and_then(Node::as_str)
            .unwrap_or("sequential");
        let limit = setting("max_in_flight").or_else(|| setting("concurrency"));
        let default = match (mode, &items) {
            ("sequential", _) | ("cursor", Items::Cursor(_)) => 1,
            ("parallel" | "async", _) => MAX_IN_FLIGHT,
            (other, _) => {
                let place = self.place(body, "loop.mode");
                let message = match other {
                    "cursor" => "mode `cursor` needs `cursor:`, and the loop has `in:`".to_owned(),
                    other => format!("mode `{other}` is neither `sequential` nor `parallel`"),
                };
                let help = "write `mode: sequential` or `mode: parallel`";
                self.fail(place, message, help);
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
            let help = "write a number such as 10, or remove it";
            self.fail(place, "`max_in_flight` is a whole number from 1", help);
        }
        Some(Loop {
            items,
            iterator,
            max_in_flight,
        })
    }

    /// Reads `cursor`: a tool and the statement that claims rows. `frame` is `spec.frame`.
    fn cursor(&mut self, node: &Node, frame: Option<&Node>) -> Option<Cursor> {
        let kind_name = self.text(node, "kind", "loop.cursor.kind");
        let kind_name = kind_name.unwrap_or_else(|| "postgres".to_owned());
        let kind = ToolKind::from_name(&kind_name)
            .filter(|kind| [ToolKind::Postgres, ToolKind::Sqlite, ToolKind::Duckdb].contains(kind));
        let place = self.place(node, "loop.cursor");
        let Some(kind) = kind else {
            self.unsupported(
                place,
                &kind_name,
                "cursor",
                &["postgres", "sqlite", "duckdb"],
            );
            return None;
        };
        let Some(claim) = node.get("claim") else {
            let help = "add `claim:` with a statement that marks rows as taken and returns them";
            self.fail(place, "the cursor has no `claim`", help);
            return None;
        };
        let claim = self.field("query", claim, "loop.cursor.claim");
        let mut config = self.field("tool", node, "loop.cursor");
        if let Json::Object(fields) = &mut config.value {
            fields.retain(|key, _| !CURSOR_KEYS.contains(&key.as_str()));
            fields.insert("query".to_owned(), claim.value);
        }
        config.lines.insert("query".to_owned(), claim.place.line);
        config.find_roots();
        let setting = |key: &str| frame.and_then(|frame| frame.get(key));
        let max_rows = setting("max_rows").map(Node::to_json);
        let by_row = setting("process").and_then(Node::as_str) != Some("frame");
        if max_rows
            .as_ref()
            .is_some_and(|rows| rows.as_u64().is_none_or(|rows| rows == 0))
        {
            let place = self.place(node, "loop.spec.frame.max_rows");
            let help = "write a number such as 50, or remove it";
            self.fail(place, "`max_rows` is a whole number from 1", help);
        }
        Some(Cursor {
            claim: Task {
                name: "claim".to_owned(),
                kind,
                timeout: self.timeout(&[(Some(node), "loop.cursor")]),
                config,
                args: Vec::new(),
                rules: Vec::new(),
                set: Vec::new(),
                retry: None,
            },
            max_rows: max_rows.and_then(|rows| rows.as_u64()).unwrap_or(1),
            by_row,
        })
    }
}
