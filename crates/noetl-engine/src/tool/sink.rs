//! The `sink` tool: saves a value to a file or table.

mod file;
mod table;

use serde_json::{Map, Value as Json};

use super::{Call, Failure, Host, credential};

const TARGETS: [&str; 4] = ["file", "postgres", "sqlite", "duckdb"];

/// How a value joins what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In place of it; for files the default.
    Replace,
    /// After it; for tables the default.
    Append,
    /// In place of the rows with the same key.
    Upsert,
}

/// Saves the args of `call`, or its field `data`, `from` or `value`.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let fields = fields(call)?;
    let target = target(call, &fields)?;
    let data = data(call);
    // The target's own tools read its fields as if they were theirs.
    let call = Call {
        config: &fields,
        ..call.clone()
    };
    match target {
        "file" => file::save(&data, &call, host).await,
        target => table::save(target, &data, &call, host).await,
    }
}

/// The fields of the tool and, over them, those of `target`.
fn fields(call: &Call<'_>) -> Result<Map<String, Json>, Failure> {
    let mut fields = call.config.clone();
    match fields.remove("target") {
        None | Some(Json::Null) => {}
        Some(Json::Object(target)) => fields.extend(target),
        Some(Json::String(kind)) => {
            fields.insert("backend".to_owned(), Json::from(kind));
        }
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `target` must be a mapping with `type`",
            ));
        }
    }
    Ok(fields)
}

fn target(call: &Call<'_>, fields: &Map<String, Json>) -> Result<&'static str, Failure> {
    let named = ["backend", "storage", "type"]
        .iter()
        .filter_map(|name| credential::text(fields, &[name]))
        // In older playbooks `type` is the tool's own kind.
        .find(|name| name != call.kind.name());
    if let Some(name) = named {
        let wanted = match name.as_str() {
            "postgresql" => "postgres",
            "local" | "filesystem" => "file",
            other => other,
        };
        return TARGETS
            .into_iter()
            .find(|target| *target == wanted)
            .ok_or_else(|| {
                Failure::new("config", format!("a sink cannot save to `{name}`"))
                    .help(format!("use one of {}", TARGETS.join(", ")))
            });
    }
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    if has("table") && (has("auth") || has("credential") || has("db_host")) {
        return Ok("postgres");
    }
    if has("path") && !has("table") {
        return Ok("file");
    }
    Err(call
        .missing("target")
        .help("name it as in `target: {type: file, path: out.json}`"))
}

fn data(call: &Call<'_>) -> Json {
    ["data", "from", "value"]
        .iter()
        .find_map(|name| call.config.get(*name))
        .cloned()
        .unwrap_or_else(|| Json::Object(call.args.clone()))
}

fn mode(call: &Call<'_>, default: Mode) -> Result<Mode, Failure> {
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

/// The columns of `rows` in the order in which they first appear.
fn columns<'a>(rows: &[&'a Map<String, Json>]) -> Vec<&'a str> {
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

/// An object is one row, a list of objects several.
fn rows(data: &Json) -> Result<Vec<&Map<String, Json>>, Failure> {
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

#[cfg(test)]
mod tests;
