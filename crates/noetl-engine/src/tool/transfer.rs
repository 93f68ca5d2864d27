//! The `transfer` tool: copies rows from a database, a URL or a file to a database or a file.
//!
//! The rows are held in memory between the two. They are saved in one transaction, so that a transfer that fails leaves
//! the target as it was.

mod source;

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::sink;
use crate::host::Host;
use crate::playbook::ToolKind;
use noetl_api::Failure;

/// Fields of a call that belong to the target when the target does not have them.
const TARGET_FIELDS: [&str; 4] = ["mode", "key", "keys", "mapping"];

/// Reads the rows of `source`, renames their columns by `mapping`, and saves them to `target`.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let source = part(call, "source")?;
    let mut target = part(call, "target")?;
    for name in TARGET_FIELDS {
        if let Some(value) = call.config.get(name) {
            target.entry(name).or_insert_with(|| value.clone());
        }
    }
    let mapping = mapping(target.shift_remove("mapping"))?;
    let rows = source::rows(&source, call, host).await?;
    let rows = match &mapping {
        None => rows,
        Some(mapping) => rows
            .iter()
            .map(|row| renamed(row, mapping))
            .collect::<Result<_, _>>()?,
    };
    let count = rows.len();
    target.insert("data".to_owned(), Json::Array(rows));
    let sink = Call {
        kind: ToolKind::Sink,
        config: &target,
        args: &Map::new(),
        ..call.clone()
    };
    let saved = sink::run(&sink, host).await?;
    Ok(json!({
        "status": "success",
        "rows_transferred": count,
        "source": kind(&source).unwrap_or_default(),
        "target": saved.get("target"),
    }))
}

/// Returns `source` or `target`, which has a type.
fn part(call: &Call<'_>, name: &str) -> Result<Map<String, Json>, Failure> {
    let Some(Json::Object(fields)) = call.config.get(name) else {
        let help = format!("write `{name}: {{type: postgres, …}}`");
        return Err(call.missing(name).help(help));
    };
    let mut fields = fields.clone();
    let Some(kind) = kind(&fields) else {
        let message = format!("the field `{name}` of a transfer needs `type`");
        return Err(Failure::new("config", message)
            .help("the types are postgres, sqlite, duckdb, file, and http for a source"));
    };
    for key in ["kind", "tool"] {
        fields.shift_remove(key);
    }
    fields.insert("type".to_owned(), kind.into());
    Ok(fields)
}

/// Returns the type of a source or target.
fn kind(fields: &Map<String, Json>) -> Option<String> {
    let named = ["type", "kind", "tool"]
        .iter()
        .find_map(|key| fields.get(*key)?.as_str());
    named.map(|kind| match kind.to_ascii_lowercase().as_str() {
        "postgresql" => "postgres".to_owned(),
        other => other.to_owned(),
    })
}

/// Returns the columns of the target with those of the source that they come from.
fn mapping(given: Option<Json>) -> Result<Option<Map<String, Json>>, Failure> {
    match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(mapping)) if mapping.values().all(Json::is_string) => Ok(Some(mapping)),
        Some(_) => Err(Failure::new(
            "config",
            "the field `mapping` of a transfer names the source's column for each column of the target",
        )
        .help("write `mapping: {TARGET_COLUMN: SOURCE_COLUMN}`")),
    }
}

/// Returns a row with the columns of the target. A column that the row lacks is null.
fn renamed(row: &Json, mapping: &Map<String, Json>) -> Result<Json, Failure> {
    let Json::Object(row) = row else {
        return Err(source::no_rows());
    };
    let value = |from: &Json| {
        // A dotted path leads into nested values.
        let mut parts = from.as_str().unwrap_or_default().split('.');
        let first = row.get(from.as_str().unwrap_or_default()).or_else(|| {
            let mut value = row.get(parts.next()?)?;
            for part in parts {
                value = value.get(part)?;
            }
            Some(value)
        });
        first.cloned().unwrap_or_default()
    };
    let columns = mapping.iter();
    Ok(Json::Object(
        columns
            .map(|(to, from)| (to.clone(), value(from)))
            .collect(),
    ))
}

#[cfg(test)]
mod tests;
