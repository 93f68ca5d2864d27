//! What this server gives to the tools that run in it.

use std::sync::Arc;

use noetl_api::ExecutionStatus;
use noetl_engine::execution::Command;
use noetl_engine::{BoxFuture, Credential, Failure, Host, HostMachine, Place, Stream, SubPlaybook};
use serde_json::Value as Json;
use tokio::sync::{Mutex, OwnedSemaphorePermit, broadcast::error::RecvError};

use super::{RunError, Runs, Start};
use crate::store::StoreError;
use crate::vault::VaultError;

/// How deep playbooks may call each other.
const MAX_DEPTH: usize = 32;

/// Why a credential could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The host of one command.
pub(super) struct ServerHost {
    runs: Arc<Runs>,
    execution_id: i64,
    /// Given back while a sub-playbook runs, so that callers never starve those whom they call.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl ServerHost {
    pub(super) fn new(runs: Arc<Runs>, command: &Command, permit: OwnedSemaphorePermit) -> Self {
        Self {
            runs,
            execution_id: command.execution_id.parse().unwrap_or_default(),
            permit: Mutex::new(Some(permit)),
        }
    }
}

impl Host for ServerHost {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async move {
            self.runs.credential(name).await.map_err(|error| {
                Failure::passing(
                    "auth",
                    format!("credential `{name}` cannot be read: {error}"),
                )
            })
        })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let started = self
                .runs
                .start_child(self.execution_id, call.clone())
                .await?;
            drop(self.permit.lock().await.take());
            // There is room for what the caller now waits for.
            self.runs.due.notify_one();
            let answer = self.runs.wait(started).await;
            let slots = Arc::clone(&self.runs.slots);
            *self.permit.lock().await = slots.acquire_owned().await.ok();
            self.runs
                .child_result(started, call.return_step.as_deref(), answer)
                .await
        })
    }

    fn environment(&self, _name: &str) -> Option<String> {
        // The server's environment holds its own secrets; playbooks of other people run here.
        None
    }

    fn line(&self, place: &Place, stream: Stream, line: &str) {
        tracing::debug!(
            execution_id = self.execution_id,
            step = place.step,
            ?stream,
            line
        );
    }

    fn machine(&self) -> &HostMachine {
        &self.runs.machine
    }
}

impl Runs {
    /// A credential with its data.
    pub(crate) async fn credential(
        &self,
        name: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let Some(row) = self.store.credential(name).await? else {
            return Ok(None);
        };
        let text = self.vault.decrypt(&row.data_encrypted)?;
        let data = serde_json::from_str(&text)
            .map_err(|error| StoreError::Corrupt(format!("credential {}: {error}", row.name)))?;
        Ok(Some(Credential {
            name: row.name,
            kind: row.kind,
            data,
        }))
    }

    /// Starts the execution that a `playbook` task stands for, once.
    pub(crate) async fn start_child(
        self: &Arc<Self>,
        parent: i64,
        call: SubPlaybook,
    ) -> Result<i64, Failure> {
        let failed = |error: RunError| match error {
            RunError::Store(error) => Failure::passing("store", error.to_string()),
            RunError::Invalid(problems) => Failure::new(
                "playbook",
                format!("`{}` cannot run: {problems}", call.path),
            ),
            error => Failure::new("playbook", error.to_string()),
        };
        let mut depth = 0;
        let mut above = Some(parent);
        while let Some(id) = above {
            depth += 1;
            let row = self
                .store
                .execution(id)
                .await
                .map_err(|error| failed(error.into()))?;
            // A worker elsewhere hears of a cancellation late.
            if id == parent && row.as_ref().is_some_and(|row| row.status.is_final()) {
                return Err(failed(RunError::Ended(id)));
            }
            above = row.and_then(|row| row.parent_execution_id);
            if depth > MAX_DEPTH {
                return Err(Failure::new(
                    "limit",
                    format!("playbooks call each other {MAX_DEPTH} levels deep"),
                ));
            }
        }
        let entry = self.child_entry(&call).await.map_err(failed)?;
        let start = Start {
            payload: call.payload.clone(),
            target: None,
            parent_execution_id: Some(parent),
            parent_call: Some(call.key.clone()),
        };
        Ok(self
            .start(&entry, start)
            .await
            .map_err(failed)?
            .execution_id)
    }

    /// The catalog entry that a call means: its path as it is, or beside the caller's.
    async fn child_entry(
        &self,
        call: &SubPlaybook,
    ) -> Result<crate::store::CatalogEntry, RunError> {
        let path = call.path.trim_start_matches("./");
        let bare = path.trim_end_matches(".yaml").trim_end_matches(".yml");
        let folder = call
            .caller
            .rsplit_once('@')
            .map_or(call.caller.as_str(), |(path, _)| path);
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |path: &str| {
            if folder.is_empty() {
                path.to_owned()
            } else {
                format!("{folder}/{path}")
            }
        };
        for path in [
            call.path.clone(),
            path.to_owned(),
            bare.to_owned(),
            beside(path),
            beside(bare),
        ] {
            if let Some(entry) = self.store.entry(&path, call.version).await? {
                return Ok(entry);
            }
        }
        Err(RunError::NoPlaybook(format!("`{}`", call.path)))
    }

    /// Waits until an execution has ended, on this server or another. Gives its status.
    pub(crate) async fn wait(&self, execution_id: i64) -> Result<ExecutionStatus, Failure> {
        let mut changes = self.subscribe();
        loop {
            let row = self
                .store
                .execution(execution_id)
                .await
                .map_err(|error| Failure::passing("store", error.to_string()))?;
            match row {
                Some(row) if !row.status.is_final() => {}
                Some(row) => return Ok(row.status),
                None => {
                    return Err(Failure::new(
                        "playbook",
                        format!("execution {execution_id} is gone"),
                    ));
                }
            }
            // Another server's changes are not heard: look again now and then.
            let tick = tokio::time::sleep(std::time::Duration::from_secs(1));
            tokio::pin!(tick);
            loop {
                tokio::select! {
                    () = &mut tick => break,
                    change = changes.recv() => match change {
                        Ok(change) if change.execution_id == execution_id && change.turned => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return Err(Failure::passing("store", "the server stops")),
                    },
                }
            }
        }
    }

    /// What a child execution gave to its caller.
    pub(crate) async fn child_result(
        &self,
        execution_id: i64,
        return_step: Option<&str>,
        status: Result<ExecutionStatus, Failure>,
    ) -> Result<Json, Failure> {
        let status = status?;
        let row = self.store.execution(execution_id).await;
        let row = row.map_err(|error| Failure::passing("store", error.to_string()))?;
        if status != ExecutionStatus::Completed {
            let why = row
                .and_then(|row| row.error)
                .unwrap_or_else(|| status.as_str().to_lowercase());
            return Err(Failure {
                code: Some(Json::from(execution_id.to_string())),
                ..Failure::new(
                    "playbook",
                    format!("execution {execution_id} ended as {status}: {why}"),
                )
            });
        }
        let result = self.store.final_result(execution_id, return_step).await;
        result.map_err(|error| Failure::passing("store", error.to_string()))
    }

    /// Whether a database lets a credential in.
    pub(crate) async fn probe_postgres(self: &Arc<Self>, credential: &str) -> Result<(), Failure> {
        let mut config = serde_json::Map::new();
        config.insert("auth".to_owned(), credential.into());
        config.insert("query".to_owned(), "SELECT 1".into());
        self.sql(true, &config).await.map(drop)
    }

    /// Runs SQL with the fields of a `postgres` or `sqlite` tool.
    pub(crate) async fn sql(
        self: &Arc<Self>,
        postgres: bool,
        config: &serde_json::Map<String, Json>,
    ) -> Result<Json, Failure> {
        let host = ServerHost {
            runs: Arc::clone(self),
            execution_id: 0,
            permit: Mutex::new(None),
        };
        noetl_engine::run_sql(postgres, config, &host).await
    }
}
