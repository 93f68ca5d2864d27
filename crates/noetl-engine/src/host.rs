//! The interface between the tools and the program that runs them.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

#[cfg(unix)]
use crate::interpreters::PythonPool;
#[cfg(unix)]
use crate::processes::StepGuard;
use noetl_api::Failure;
use noetl_api::Place;

/// A boxed future, as the [`Host`] trait returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The program that runs the tools: the server, a worker or the command line.
pub trait Host: Send + Sync {
    /// Returns the credential of that name, if there is one.
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>>;

    /// Runs another playbook to its end and returns its result.
    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>>;

    /// Returns an environment variable for a `secrets` step; none on hosts that do not give their
    /// environment to playbooks.
    fn environment_variable(&self, name: &str) -> Option<String>;

    /// Takes a line of a step's output while the step runs: one that a child process wrote, or a note of the tool. `attempt`
    /// counts the attempts of the task from 1.
    fn output_line(&self, place: &Place, attempt: u32, stream: Stream, line: &str);

    /// Takes the failure of an attempt that is made again after `delay`; `attempt` counts from 1. A host that shows no
    /// progress has no use for it.
    fn retrying(&self, place: &Place, attempt: u32, failure: &Failure, delay: Duration) {
        let _ = (place, attempt, failure, delay);
    }

    /// Returns the settings for the tools.
    fn tool_environment(&self) -> &ToolEnvironment;
}

/// Settings of the machine that tools run on.
#[derive(Debug, Clone, Default)]
pub struct ToolEnvironment {
    /// Folder in which shell and python steps run and that relative paths begin at; none is the folder
    /// of the process.
    pub folder: Option<PathBuf>,
    /// The Python to use; none looks for `python3`, then `python`.
    pub python: Option<PathBuf>,
    /// Environment variables that child processes must not inherit.
    pub hidden_environment: Vec<String>,
    /// Files of TLS roots in PEM form that are trusted besides Mozilla's.
    pub tls_roots: Vec<PathBuf>,
    /// The interpreters that stay between python steps.
    #[cfg(unix)]
    pub python_pool: PythonPool,
    /// What ends the processes of steps when this process is killed.
    #[cfg(unix)]
    pub guard: StepGuard,
}

impl ToolEnvironment {
    /// Returns `path` as seen from the folder that steps run in.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.folder
            .as_deref()
            .map_or_else(|| PathBuf::from(path), |folder: &Path| folder.join(path))
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
    /// Writes name and type; the fields are secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({}, {})", self.name, self.kind)
    }
}

/// A call of another playbook by a `playbook` task.
#[derive(Debug, Clone)]
pub struct SubPlaybook {
    /// The file or catalog path, as written.
    pub path: String,
    /// A version in the catalog; none is the latest.
    pub version: Option<i64>,
    /// Its payload.
    pub payload: Map<String, Json>,
    /// The step whose result is the task's; none is the last one.
    pub return_step: Option<String>,
    /// The file of the calling playbook.
    pub caller: String,
    /// Identifies this call: a second call with the same key must not start a second execution.
    pub key: String,
}

/// The stream that a line of output was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// What the tool itself says: a request and its status, numbers of rows, why an attempt failed.
    Note,
}
