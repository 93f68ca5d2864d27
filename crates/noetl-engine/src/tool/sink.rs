//! The `sink` tool: saves a value to a file or table.

mod file;
mod rows;
mod table;

use serde_json::{Map, Value as Json};

use super::call::Call;
use super::credential;
use crate::host::Host;
use noetl_api::Failure;

const TARGETS: [&str; 4] = ["file", "postgres", "sqlite", "duckdb"];

/// Saves the args of `call`, or its field `data`, `from` or `value`.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let fields = fields(call)?;
    let target = target(call, &fields)?;
    let data = data(call);
    // The tools of the target read its fields.
    let call = Call {
        config: &fields,
        ..call.clone()
    };
    match target {
        "file" => file::save(&data, &call, host).await,
        target => table::save(target, &data, &call, host).await,
    }
}

/// Returns the fields of the tool, overridden by those of `target`.
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

#[cfg(test)]
mod tests;
