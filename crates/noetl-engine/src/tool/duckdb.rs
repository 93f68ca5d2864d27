//! The `duckdb` tool: SQL for DuckDB, through its command or its Python module.

mod output;

use std::ffi::OsString;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::call::Call;
use super::process::{self, Finished, Job};
use super::python;
use super::sql::{self, ResultSet, Results, Statement};
use crate::host::Host;
use noetl_api::Failure;

const SCRIPT: &str = include_str!("duckdb.py");

/// Rows are read from the output, so the limit is higher than for output that people read.
const OUTPUT_LIMIT: usize = 512 * 1024 * 1024;

/// The answer of the Python script.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    sets: Vec<Set>,
    error: Option<String>,
    code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Set {
    columns: Vec<String>,
    rows: Vec<Vec<Json>>,
    affected: u64,
}

/// Runs the SQL of `call`.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let script = sql::script(call, host).await?;
    execute(&script, call, host).await
}

/// Runs `script` in the database that the fields of `call` name.
pub(super) async fn execute(
    script: &str,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Json, Failure> {
    if ["params", "parameters"]
        .iter()
        .any(|name| call.config.contains_key(*name))
    {
        return Err(Failure::new("config", "a duckdb tool takes no `params`")
            .help("write the values in the SQL, or use the sqlite tool"));
    }
    let database = database(call, host).await?;
    let statements = sql::split(script);
    let results = match run_command(&database, &statements, call, host).await? {
        Some(results) => results,
        None => run_module(&database, script, call, host).await?,
    };
    Ok(results.into_json(&statements))
}

async fn database(call: &Call<'_>, host: &dyn Host) -> Result<String, Failure> {
    let name = call.first_text(&["database", "db"]);
    let name = name.unwrap_or_else(|| ":memory:".to_owned());
    // `md:` and similar prefixes name services.
    if name == ":memory:" || (name.contains(':') && !std::path::Path::new(&name).is_absolute()) {
        return Ok(name);
    }
    let path = host.tool_environment().resolve(&name);
    if let Some(parent) = path.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(|error| {
            Failure::new(
                "config",
                format!("cannot create the folder `{}`: {error}", parent.display()),
            )
        })?;
    }
    Ok(std::path::absolute(&path)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned())
}

/// Runs the statements with the `duckdb` command; returns none when there is no such command.
async fn run_command(
    database: &str,
    statements: &[Statement],
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Results>, Failure> {
    // The settings of the user who runs it must not change what the playbook does.
    let no_settings = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let flags = ["-batch", "-bail", "-json", "-init", no_settings, database];
    let job = Job {
        program: "duckdb".into(),
        arguments: flags.map(OsString::from).into(),
        input: output::script(statements).into_bytes().into(),
        limit: OUTPUT_LIMIT,
        forward_stdout: false,
    };
    let Some(finished) = process::run(job, call, host).await? else {
        return Ok(None);
    };
    if finished.code() != 0 {
        return Err(command_failure(&finished));
    }
    Ok(Some(output::read(&finished.stdout, statements)))
}

/// Returns the failure that the command printed: `Catalog Error: Table with name x does not exist!`.
fn command_failure(finished: &Finished) -> Failure {
    let text = finished.stderr.trim();
    if text.is_empty() {
        return finished.failure();
    }
    let code = text.split_once(" Error:").map(|(class, _)| class.trim());
    Failure {
        code: code
            .filter(|class| !class.contains('\n'))
            .map(|class| Json::from(format!("{}Error", class.replace(' ', "")))),
        ..Failure::new("sql", text)
    }
}

/// Runs the script with DuckDB's Python module.
async fn run_module(
    database: &str,
    script: &str,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Results, Failure> {
    let not_installed = || {
        Failure::new("duckdb", "DuckDB is not installed on this machine")
            .help("install the `duckdb` command, or `pip install duckdb`")
    };
    // Images without a folder for temporary files have no Python either.
    let folder = tempfile::Builder::new()
        .prefix("noetl-")
        .tempdir()
        .map_err(|_| not_installed())?;
    let answer = folder.path().join("answer.json");
    let request = json!({"database": database, "sql": script, "answer": answer.to_string_lossy()});
    let job = Job {
        arguments: ["-c", SCRIPT].map(OsString::from).into(),
        input: request.to_string().into_bytes().into(),
        limit: process::OUTPUT_LIMIT,
        ..Job::default()
    };
    let finished = python::run_interpreter(job, call, host)
        .await?
        .ok_or_else(not_installed)?;
    let Ok(bytes) = tokio::fs::read(&answer).await else {
        if finished.stderr.contains("No module named 'duckdb'") {
            return Err(not_installed());
        }
        return Err(finished.failure());
    };
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new("duckdb", format!("DuckDB's answer cannot be read: {error}"))
    })?;
    if let Some(error) = answer.error {
        return Err(Failure {
            code: answer.code.map(Json::from),
            ..Failure::new("sql", error)
        });
    }
    Ok(answer.results())
}

impl Answer {
    fn results(self) -> Results {
        let mut results = Results::default();
        for set in self.sets {
            let mut result = ResultSet::new(set.columns.iter().map(String::as_str));
            for row in set.rows {
                result.push_row(row);
            }
            result.affected = set.affected;
            results.sets.push(result);
        }
        results
    }
}

#[cfg(test)]
mod tests;
