//! Fields of tools whose values are known before anything runs.

use serde_json::Value as Json;

use super::super::tool_kind::ToolKind;
use super::reader::Reader;
use crate::field::Field;
use crate::path;
use crate::template;

/// What a transfer reads from, and what it writes to.
const SOURCES: &[&str] = &["postgres", "sqlite", "duckdb", "http", "file"];
const TARGETS: &[&str] = &["postgres", "sqlite", "duckdb", "file"];

impl Reader<'_> {
    /// Checks the fields of a tool that are no templates.
    pub(super) fn check_values(&mut self, kind: ToolKind, config: &Field, path: &str) {
        let field_of = |name: &str| {
            let mut place = config.place.clone();
            place.field = Some(path::join(path, name));
            place
        };
        if kind == ToolKind::Python
            && let Some(pool) = config.value.get("pool")
            && !pool.is_boolean()
        {
            let help = "write `pool: false` for an interpreter of its own";
            self.fail(field_of("pool"), "`pool` is true or false", help);
        }
        if kind != ToolKind::Transfer {
            return;
        }
        for (name, supported) in [("source", SOURCES), ("target", TARGETS)] {
            let part = config.value.get(name);
            let named = ["type", "kind", "tool"]
                .iter()
                .find_map(|key| part?.get(*key)?.as_str());
            match (part, named) {
                (Some(Json::String(text)), _) if template::is_template(text) => {}
                (_, Some(named)) if template::is_template(named) => {}
                (_, Some(named)) => {
                    let named = named.to_ascii_lowercase();
                    let is_known = named == "postgresql" || supported.contains(&named.as_str());
                    if !is_known {
                        let noun = format!("transfer {name}");
                        self.unsupported(field_of(name), &named, &noun, supported);
                    }
                }
                (_, None) => {
                    let message = format!("the transfer tool needs `{name}` with a `type`");
                    let help = format!("write `{name}: {{type: {}, …}}`", supported[0]);
                    self.fail(field_of(name), message, &help);
                }
            }
        }
    }
}
