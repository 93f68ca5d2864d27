//! The host of a local run: credentials, called playbooks, environment and output for the engine's tools.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use noetl_engine::local::{Job, run};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Playbook, Stream, SubPlaybook, ToolEnvironment,
};
use serde_json::Value;

use super::progress::Progress;
use crate::cli::client::RemoteArgs;
use crate::client::Client;
use crate::client::remote::Remote;
use crate::commands::credential;
use crate::config;
use crate::config::context_file::ContextFile;
use crate::source_file;

/// How many levels deep playbooks may call each other.
const MAX_DEPTH: usize = 32;

/// The host of a local run and of the playbooks that it calls.
#[derive(Clone)]
pub(in crate::commands) struct LocalHost {
    tools: ToolEnvironment,
    credentials: Arc<HashMap<String, Credential>>,
    /// A server that is asked for credentials that are in no file of --credentials.
    server: Option<RemoteArgs>,
    progress: Progress,
    depth: usize,
    execution: u64,
    children: Arc<AtomicU64>,
    max_parallel: usize,
}

impl LocalHost {
    /// Returns a host with the credentials of these files and folders, and those of the server that `remote` names.
    pub(in crate::commands) fn new(
        files: &[PathBuf],
        remote: RemoteArgs,
        max_parallel: usize,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let mut credentials = HashMap::new();
        for path in files {
            let files = if path.is_dir() {
                source_file::credentials(path)?
            } else {
                vec![path.clone()]
            };
            for file in files {
                let read = source_file::read_credential(&file)?;
                let credential = Credential {
                    name: read.name,
                    kind: read.kind,
                    data: read.data,
                };
                credentials.insert(credential.name.clone(), credential);
            }
        }
        // The server is asked only when a step needs a credential that no file has: most runs need no server.
        let has_server = remote.server_url.is_some()
            || ContextFile::read().is_ok_and(|file| file.current().is_some());
        let server = has_server.then_some(remote);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_micros());
        Ok(Self {
            tools: config::tool_environment(),
            credentials: Arc::new(credentials),
            server,
            progress,
            depth: 0,
            // Microseconds leave room for the last digits, which keep processes of the same time apart.
            execution: u64::try_from(now).unwrap_or_default() * 1000
                + u64::from(std::process::id() % 1000),
            children: Arc::new(AtomicU64::new(0)),
            max_parallel,
        })
    }

    /// Whether a server is asked for credentials that no file has.
    pub(in crate::commands) fn asks_server(&self) -> bool {
        self.server.is_some()
    }

    /// Whether a file has the credential.
    pub(in crate::commands) fn has_credential(&self, name: &str) -> bool {
        self.credentials.contains_key(name)
    }

    pub(super) fn execution_id(&self) -> String {
        self.execution.to_string()
    }
}

impl Host for LocalHost {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async move {
            if let Some(known) = self.credentials.get(name) {
                return Ok(Some(known.clone()));
            }
            let Some(server) = self.server.clone() else {
                return Ok(None);
            };
            let requested = name.to_owned();
            let answered = tokio::task::spawn_blocking(move || {
                let client = Client::new(Remote::find(&server)?)?;
                Ok(credential::request(&client, &requested)?)
            });
            match answered.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err::<_, anyhow::Error>(error)) => Err(credential::unreadable(name, &error)),
                Err(error) => Err(credential::unreadable(name, &error)),
            }
        })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            if self.depth >= MAX_DEPTH {
                return Err(Failure::new(
                    "limit",
                    format!("playbooks call each other {MAX_DEPTH} levels deep"),
                ));
            }
            let path = resolve(&call.path, &call.caller)?;
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Failure::new("playbook", format!("cannot read {file}: {error}"))
            })?;
            let playbook = Playbook::parse(&file, &text).map_err(|problems| {
                Failure::new("playbook", format!("{file} cannot run: {problems}"))
            })?;
            playbook.check_return_step(call.return_step.as_deref())?;
            let number = self.children.fetch_add(1, Ordering::Relaxed);
            let execution_id = (self.execution + 1000 * (number + 1)).to_string();
            let inner = Self {
                depth: self.depth + 1,
                progress: self.progress.called_playbook(&playbook.name),
                ..self.clone()
            };
            let mut observer = inner.progress.clone();
            let mut observe = move |event: &noetl_engine::execution::Event| observer.event(event);
            let job = Job {
                playbook: Arc::new(playbook),
                execution_id: &execution_id,
                payload: &call.payload,
                target: None,
                max_parallel: self.max_parallel,
            };
            let mut report = Box::pin(run(job, Arc::new(inner), &mut observe)).await;
            match (report.failure, call.return_step) {
                (Some(failure), _) => Err(failure),
                (None, Some(step)) => Ok(report.steps.remove(&step).unwrap_or_default()),
                (None, None) => Ok(report.result),
            }
        })
    }

    fn environment_variable(&self, name: &str) -> Option<String> {
        config::variable_for_playbooks(name)
    }

    fn output_line(&self, place: &Place, attempt: u32, stream: Stream, line: &str) {
        self.progress
            .line(place.step.as_deref(), attempt, stream, line);
    }

    fn retrying(&self, place: &Place, attempt: u32, failure: &Failure, delay: Duration) {
        let step = place.step.as_deref().unwrap_or_default();
        self.progress.retrying(step, attempt, Some(failure), delay);
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tools
    }
}

/// Returns the file that a call names: relative to the caller's folder or to the current folder, with or
/// without its extension.
fn resolve(path: &str, caller: &str) -> Result<PathBuf, Failure> {
    let caller_folder = Path::new(caller).parent().unwrap_or(Path::new(""));
    let extensions = ["", ".yaml", ".yml"];
    let candidates = [caller_folder, Path::new("")]
        .into_iter()
        .flat_map(|folder| extensions.map(|extension| folder.join(format!("{path}{extension}"))));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Failure::new(
                "playbook",
                format!(
                    "there is no playbook {path} in the folder of {caller} or in the current folder"
                ),
            )
            .help("write the path relative to the calling playbook, or use --runtime distributed")
        })
}
