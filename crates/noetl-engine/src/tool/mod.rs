//! The tools: what a task does once its templates are evaluated.
//!
//! A tool takes plain JSON and returns plain JSON or a [`Failure`]. It knows nothing of steps, events or
//! retries. Dropping its future stops it, child processes included.

mod call;
pub(crate) mod credential;
mod duckdb;
mod http;
mod output_reader;
mod postgres;
mod process;
mod python;
mod python_check;
mod script;
mod secrets;
mod shell;
mod sink;
mod sql;
mod sqlite;
mod sub_playbook;
#[cfg(test)]
pub(crate) mod tests;
mod transfer;

use std::time::Duration;

use serde_json::{Map, Value as Json};

pub(crate) use call::Call;
pub use python_check::check_python;

use crate::host::Host;
use crate::playbook::ToolKind;
use crate::template::Scope;
use noetl_api::Failure;
use noetl_api::Place;

/// Runs one attempt.
///
/// # Errors
/// The tool's failure, or `timeout` when it took longer than the task allows.
pub(crate) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let attempt = dispatch(call, host);
    let outcome = match call.timeout {
        None => attempt.await,
        Some(limit) => tokio::time::timeout(limit, attempt)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::retryable(
                    "timeout",
                    format!("no result after {} s", limit.as_secs_f64()),
                ))
            }),
    };
    match &outcome {
        Ok(result) => note_rows(call, host, result),
        Err(failure) => call.note(host, &format!("failed: {}", failure.message)),
    }
    outcome.map_err(|failure| failure.at(call.place))
}

/// Notes how many rows each statement of a SQL tool gave or changed.
fn note_rows(call: &Call<'_>, host: &dyn Host, result: &Json) {
    if !matches!(
        call.kind,
        ToolKind::Postgres | ToolKind::Sqlite | ToolKind::Duckdb
    ) {
        return;
    }
    for index in 0.. {
        let Some(statement) = result.get(format!("command_{index}")) else {
            return;
        };
        let rows = statement["row_count"].as_u64().unwrap_or_default();
        let plural = if rows == 1 { "" } else { "s" };
        call.note(
            host,
            &format!("statement {}: {rows} row{plural}", index + 1),
        );
    }
}

/// Runs SQL outside a playbook, with the fields that a `postgres` or `sqlite` tool takes.
///
/// # Errors
/// The tool's failure.
pub async fn run_sql(
    postgres: bool,
    config: &Map<String, Json>,
    host: &dyn Host,
) -> Result<Json, Failure> {
    let nothing = Map::new();
    let call = Call {
        kind: if postgres {
            ToolKind::Postgres
        } else {
            ToolKind::Sqlite
        },
        config,
        args: &nothing,
        context: &Scope::new(),
        key: "",
        attempt: 1,
        timeout: Some(Duration::from_secs(120)),
        place: &Place::default(),
        code_line: None,
    };
    run(&call, host).await
}

async fn dispatch(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    match call.kind {
        ToolKind::Noop => Ok(Json::Object(call.args.clone())),
        ToolKind::Shell => shell::run(call, host).await,
        ToolKind::Http => http::run(call, host).await,
        ToolKind::Python => python::run(call, host).await,
        ToolKind::Playbook => sub_playbook::run(call, host).await,
        ToolKind::Postgres => postgres::run(call, host).await,
        ToolKind::Sqlite => sqlite::run(call, host).await,
        ToolKind::Duckdb => duckdb::run(call, host).await,
        ToolKind::Sink => sink::run(call, host).await,
        ToolKind::Transfer => transfer::run(call, host).await,
        ToolKind::Secrets => secrets::run(call, host).await,
    }
}
