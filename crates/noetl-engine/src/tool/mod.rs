//! The tools: what a task does once its templates are rendered.
//!
//! A tool gets plain JSON and gives plain JSON or a [`Failure`]. It knows nothing of steps, events or
//! retries. Dropping its future stops it, children included.

mod credential;
mod duckdb;
mod http;
mod postgres;
mod process;
mod python;
pub(crate) mod reference;
mod secrets;
mod shell;
mod sink;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub(crate) use credential::text as credential_text;

pub use noetl_api::Failure;

use crate::playbook::ToolKind;
use crate::problem::Place;

/// A boxed future, as the [`Host`] trait returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One attempt of a task, rendered.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// Which tool.
    pub kind: ToolKind,
    /// The tool's fields, such as `url` or `cmds`.
    pub config: &'a Map<String, Json>,
    /// `args` or `input`.
    pub args: &'a Map<String, Json>,
    /// Further values that code may ask for by name: results, `workload`, `execution_id`.
    pub context: &'a Map<String, Json>,
    /// The most one attempt may take; none leaves it to the tool.
    pub timeout: Option<Duration>,
    /// Where the task stands in its playbook.
    pub place: &'a Place,
}

impl Call<'_> {
    /// A string field; numbers and booleans count as their text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.config.get(name)? {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The first of `names` that the tool's fields hold.
    pub(crate) fn first_text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A failure for a field that must be there.
    pub(crate) fn missing(&self, name: &str) -> Failure {
        Failure::new(
            "config",
            format!("a {} tool needs the field `{name}`", self.kind.name()),
        )
    }
}

/// A secret of the credential store.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// Its type, such as `postgres` or `bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its fields.
    pub data: Map<String, Json>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({}, {})", self.name, self.kind)
    }
}

/// A `playbook` task.
#[derive(Debug, Clone)]
pub struct SubPlaybook {
    /// The file or catalog path, as written.
    pub path: String,
    /// A version of the catalog; none is the latest.
    pub version: Option<i64>,
    /// Its payload.
    pub payload: Map<String, Json>,
    /// The step whose result is the task's; none is the last one.
    pub return_step: Option<String>,
    /// The file of the calling playbook.
    pub caller: String,
    /// Names this call for ever: calling again with the same key must not start a second run.
    pub key: String,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What tools may know of the machine they run on.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Folder in which shell and python steps run and to which relative paths refer; none is the process's.
    pub folder: Option<PathBuf>,
    /// The Python to use; none looks for `python3`, then `python`.
    pub python: Option<PathBuf>,
    /// Environment variables that children must not inherit.
    pub hidden_environment: Vec<String>,
    /// A file of further TLS roots in PEM form.
    pub tls_roots: Option<PathBuf>,
}

impl Machine {
    /// `path` as seen from the folder that steps run in.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.folder
            .as_deref()
            .map_or_else(|| PathBuf::from(path), |folder: &Path| folder.join(path))
    }
}

/// What tools ask of the program around them.
pub trait Host: Send + Sync {
    /// The credential of that name, if there is one.
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>>;
    /// Runs another playbook to its end and gives its result.
    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>>;
    /// An environment variable that a `secrets` step asks for; hosts that share their machine say no.
    fn environment(&self, name: &str) -> Option<String>;
    /// A line that a child wrote, while it runs.
    fn line(&self, place: &Place, stream: Stream, line: &str);
    /// The machine's settings.
    fn machine(&self) -> &Machine;
}

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
                Err(Failure::passing(
                    "timeout",
                    format!("no result after {} s", limit.as_secs_f64()),
                ))
            }),
    };
    outcome.map_err(|failure| failure.at(call.place))
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
        context: &nothing,
        timeout: Some(Duration::from_secs(120)),
        place: &Place::default(),
    };
    run(&call, host).await
}

async fn dispatch(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    match call.kind {
        ToolKind::Noop => Ok(Json::Object(call.args.clone())),
        ToolKind::Shell => shell::run(call, host).await,
        ToolKind::Http => http::run(call, host).await,
        ToolKind::Python => python::run(call, host).await,
        ToolKind::Playbook => playbook(call, host).await,
        ToolKind::Postgres => postgres::run(call, host).await,
        ToolKind::Sqlite => sqlite::run(call, host).await,
        ToolKind::Duckdb => duckdb::run(call, host).await,
        ToolKind::Sink => sink::run(call, host).await,
        ToolKind::Secrets => secrets::run(call, host).await,
    }
}

async fn playbook(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let path = call.text("path").ok_or_else(|| call.missing("path"))?;
    let mut payload = Map::new();
    for name in ["workload", "payload"] {
        if let Some(Json::Object(given)) = call.config.get(name) {
            payload.extend(given.clone());
        }
    }
    payload.extend(call.args.clone());
    let key = call.context.get("task_key").and_then(Json::as_str);
    host.playbook(SubPlaybook {
        path,
        version: call.config.get("version").and_then(Json::as_i64),
        payload,
        return_step: call.text("return_step"),
        caller: call.place.file.clone(),
        key: key.unwrap_or_default().to_owned(),
    })
    .await
}
