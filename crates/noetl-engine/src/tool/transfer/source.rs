//! Where a transfer reads from.

use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::bounded_json;
use crate::host::Host;
use crate::playbook::ToolKind;
use crate::tool::call::Call;
use crate::tool::dispatch;
use noetl_api::Failure;

/// Reads the rows of a source.
pub(super) async fn rows(
    source: &Map<String, Json>,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Vec<Json>, Failure> {
    let name = source
        .get("type")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let mut config = source.clone();
    config.shift_remove("type");
    let kind = match name {
        "file" => return file(&config, call, host).await,
        "http" => ToolKind::Http,
        "postgres" => ToolKind::Postgres,
        "sqlite" => ToolKind::Sqlite,
        "duckdb" => ToolKind::Duckdb,
        other => {
            let message = format!("a transfer cannot read from `{other}`");
            let help = "the sources are postgres, sqlite, duckdb, http and file";
            return Err(Failure::new("config", message).help(help));
        }
    };
    if kind != ToolKind::Http
        && let Some(table) = config.shift_remove("table")
        && !config.contains_key("query")
    {
        let table = table.as_str().unwrap_or_default().replace('"', "\"\"");
        let table = table.replace('.', "\".\"");
        let query = format!("SELECT * FROM \"{table}\"");
        config.insert("query".to_owned(), query.into());
    }
    let path = config.shift_remove("data_path");
    let read = Call {
        kind,
        config: &config,
        args: &Map::new(),
        ..call.clone()
    };
    let mut result = Box::pin(dispatch(&read, host)).await?;
    let found = match kind {
        ToolKind::Http => at_path(result.get_mut("data"), path.as_ref().and_then(Json::as_str)),
        _ => result.get_mut("rows"),
    };
    items(found.map(Json::take).unwrap_or_default())
}

/// Returns the value at a dotted path of a response.
fn at_path<'j>(mut value: Option<&'j mut Json>, path: Option<&str>) -> Option<&'j mut Json> {
    let path = path.unwrap_or_default().trim_start_matches("$.");
    for part in path.split('.').filter(|part| !part.is_empty()) {
        value = match value? {
            Json::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
            other => other.get_mut(part),
        };
    }
    value
}

/// Returns the failure of a value that is not rows.
pub(super) fn no_rows() -> Failure {
    Failure::new("config", "the source of a transfer gave no list of objects")
        .help("name the list within a response with `data_path: PATH.TO.LIST`")
}

/// Returns the rows of a value: a list of objects, or an object, which is one row.
fn items(value: Json) -> Result<Vec<Json>, Failure> {
    match value {
        Json::Array(items) if items.iter().all(Json::is_object) => Ok(items),
        object @ Json::Object(_) => Ok(vec![object]),
        _ => Err(no_rows()),
    }
}

/// Reads a file of JSON, JSON lines or CSV.
async fn file(
    config: &Map<String, Json>,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Vec<Json>, Failure> {
    let read = Call {
        config,
        ..call.clone()
    };
    let name = read
        .first_text(&["path", "file", "uri"])
        .ok_or_else(|| read.missing("path"))?;
    let path = host.tool_environment().resolve(&name);
    let wrong = |error: String| {
        let message = format!("cannot read the file `{}`: {error}", path.display());
        Failure::new("file", message)
    };
    let text = tokio::fs::read_to_string(&path)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    let extension = Path::new(&name)
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let format = read.text("format").or(extension).unwrap_or_default();
    let parse = |text: &str| bounded_json::parse(text.as_bytes());
    match format.as_str() {
        "csv" => csv_rows(text).map_err(|error| wrong(error.to_string())),
        "jsonl" | "ndjson" => {
            let mut rows = Vec::new();
            for (index, line) in text.lines().enumerate() {
                if !line.trim().is_empty() {
                    let row = parse(line).map_err(|e| wrong(format!("line {}: {e}", index + 1)))?;
                    rows.push(row);
                }
            }
            items(Json::Array(rows))
        }
        "json" | "" => items(parse(text).map_err(|error| wrong(error.to_string()))?),
        other => {
            let message = format!("a transfer cannot read the format `{other}`");
            Err(Failure::new("config", message).help("use json, jsonl or csv"))
        }
    }
}

/// Returns the rows of CSV by RFC 4180, whose first line names the columns. Values are text; an empty one is null.
fn csv_rows(text: &str) -> Result<Vec<Json>, csv::Error> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers()?.clone();
    let value = |text: &str| match text {
        "" => Json::Null,
        text => Json::from(text),
    };
    reader
        .records()
        .map(|record| {
            let record = record?;
            let pairs = names.iter().zip(record.iter());
            Ok(Json::Object(
                pairs
                    .map(|(name, text)| (name.to_owned(), value(text)))
                    .collect(),
            ))
        })
        .collect()
}
