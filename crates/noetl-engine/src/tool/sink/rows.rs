//! The mode of a sink, and the rows of the value that it saves.

use serde_json::{Map, Value as Json};

use crate::tool::call::Call;
use noetl_api::Failure;

/// How a value is saved beside the values that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// In place of them; the default for files.
    Replace,
    /// After them; the default for tables.
    Append,
    /// In place of the rows with the same key.
    Upsert,
}

/// Returns the mode that a call asks for.
pub(super) fn mode(call: &Call<'_>, default: Mode) -> Result<Mode, Failure> {
    match call.text("mode").as_deref() {
        None => Ok(default),
        Some("replace" | "overwrite" | "write") => Ok(Mode::Replace),
        Some("append" | "insert") => Ok(Mode::Append),
        Some("upsert" | "merge") => Ok(Mode::Upsert),
        Some(other) => Err(
            Failure::new("config", format!("`{other}` is not a mode of a sink"))
                .help("use append, replace or upsert"),
        ),
    }
}

/// Returns the columns of `rows` in the order in which they first appear.
pub(super) fn columns<'a>(rows: &[&'a Map<String, Json>]) -> Vec<&'a str> {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        for name in row.keys() {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    columns
}

/// Returns the rows of a value: an object is one row, a list of objects several.
pub(super) fn rows(data: &Json) -> Result<Vec<&Map<String, Json>>, Failure> {
    let rows = match data {
        Json::Object(row) => Some(vec![row]),
        Json::Array(items) => items.iter().map(Json::as_object).collect(),
        _ => None,
    };
    rows.ok_or_else(|| {
        Failure::new(
            "config",
            "the data of a sink must be an object or a list of objects to be saved as rows",
        )
    })
}
