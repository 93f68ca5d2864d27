//! Sub-playbooks: executions that a command of another execution calls and waits for.

use std::time::Duration;

use noetl_api::{ExecutionStatus, Failure};
use noetl_engine::SubPlaybook;
use serde_json::Value as Json;

use super::error::RunError;
use super::service::Executions;
use super::start::Start;
use crate::store::{CatalogEntry, StoreError};

/// How deep playbooks may call each other.
const MAX_DEPTH: usize = 32;
/// How long to wait before looking at the store: another server may have ended the execution.
const TICK: Duration = Duration::from_secs(1);

impl Executions {
    /// Starts the execution of a call. A second call with the same key returns the first execution.
    pub(crate) async fn start_child(
        &self,
        parent: i64,
        call: &SubPlaybook,
    ) -> Result<i64, Failure> {
        self.check_callers(parent).await?;
        let failed = |error: RunError| match error {
            RunError::Store(error) => store_failure(&error),
            RunError::Invalid(problems) => Failure::new(
                "playbook",
                format!("`{}` cannot run: {problems}", call.path),
            ),
            RunError::Input(problems) => Failure::new(
                "playbook",
                format!("the input does not fit `{}`: {problems}", call.path),
            ),
            error => Failure::new("playbook", error.to_string()),
        };
        let entry = self.callee(call).await.map_err(failed)?;
        self.playbook(&entry)
            .map_err(failed)?
            .check_return_step(call.return_step.as_deref())?;
        let start = Start {
            payload: call.payload.clone(),
            target: None,
            parent_execution_id: Some(parent),
            parent_call: Some(call.key.clone()),
            retry_of: None,
            idempotency_key: None,
        };
        let started = self.start(&entry, start).await.map_err(failed)?;
        Ok(started.execution_id)
    }

    /// Waits until an execution has ended, on this server or another, and returns its status.
    pub(crate) async fn wait_for_end(&self, execution_id: i64) -> Result<ExecutionStatus, Failure> {
        let mut watch = self.changes.watch(execution_id);
        loop {
            let row = self.store.execution(execution_id).await;
            match row.map_err(|error| store_failure(&error))? {
                Some(row) if row.status.is_final() => return Ok(row.status),
                Some(_) => {}
                None => {
                    return Err(Failure::new(
                        "playbook",
                        format!("execution {execution_id} does not exist"),
                    ));
                }
            }
            if !watch.wait_for_status(TICK).await {
                return Err(Failure::retryable("store", "the server stops"));
            }
        }
    }

    /// Returns the result of an execution that has ended, for its caller. Fails when the execution failed.
    pub(crate) async fn child_result(
        &self,
        execution_id: i64,
        return_step: Option<&str>,
        status: ExecutionStatus,
    ) -> Result<Json, Failure> {
        if status == ExecutionStatus::Completed {
            let result = self.store.final_result(execution_id, return_step).await;
            return result.map_err(|error| store_failure(&error));
        }
        let row = self.store.execution(execution_id).await;
        let why = row
            .map_err(|error| store_failure(&error))?
            .and_then(|row| row.error)
            .unwrap_or_else(|| status.as_str().to_lowercase());
        Err(Failure {
            code: Some(Json::from(execution_id.to_string())),
            ..Failure::new(
                "playbook",
                format!("execution {execution_id} ended as {status}: {why}"),
            )
        })
    }

    /// Fails when the caller has ended, or when too many callers stand above it.
    async fn check_callers(&self, caller: i64) -> Result<(), Failure> {
        let mut depth = 0;
        let mut above = Some(caller);
        while let Some(id) = above {
            depth += 1;
            let row = self.store.execution(id).await;
            let row = row.map_err(|error| store_failure(&error))?;
            // A worker learns of a cancellation with its next heartbeat, and may call until then.
            if id == caller && row.as_ref().is_some_and(|row| row.status.is_final()) {
                return Err(Failure::new("playbook", RunError::Ended(id).to_string()));
            }
            above = row.and_then(|row| row.parent_execution_id);
            if depth > MAX_DEPTH {
                return Err(Failure::new(
                    "limit",
                    format!("playbooks call each other {MAX_DEPTH} levels deep"),
                ));
            }
        }
        Ok(())
    }

    /// Returns the catalog entry that a call names: by its path, or by its path in the caller's folder.
    async fn callee(&self, call: &SubPlaybook) -> Result<CatalogEntry, RunError> {
        let path = call.path.trim_start_matches("./");
        let bare = path.trim_end_matches(".yaml").trim_end_matches(".yml");
        let caller = call
            .caller
            .rsplit_once('@')
            .map_or(call.caller.as_str(), |(path, _)| path);
        let folder = caller.rsplit_once('/').map_or("", |(folder, _)| folder);
        let in_folder = |path: &str| {
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
            in_folder(path),
            in_folder(bare),
        ] {
            if let Some(entry) = self.store.entry(&path, call.version).await? {
                return Ok(entry);
            }
        }
        Err(RunError::NoPlaybook(format!("`{}`", call.path)))
    }
}

fn store_failure(error: &StoreError) -> Failure {
    Failure::retryable("store", error.to_string())
}
