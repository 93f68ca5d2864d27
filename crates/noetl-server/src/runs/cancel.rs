//! Ending executions before their time, and variables from outside.

use std::sync::Arc;

use noetl_api::{EventStatus, ExecutionStatus};
use noetl_engine::Failure;
use noetl_engine::execution::event_name;
use serde_json::{Map, Value as Json};

use super::load::Input;
use super::{RunError, Runs};
use crate::clock;
use crate::store::{ExecutionFilter, ExecutionRow, NewEvent, Progress, Store, StoreError};

/// What a cancellation did.
#[derive(Debug)]
pub(crate) struct Cancelled {
    /// The executions that it ended, the one asked for first.
    pub(crate) executions: Vec<i64>,
}

impl Runs {
    /// Cancels an execution and, with `cascade`, those that it started. An ended one is left alone.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        execution_id: i64,
        reason: &str,
        cascade: bool,
    ) -> Result<Cancelled, RunError> {
        let mut executions = Vec::new();
        let mut ahead = vec![execution_id];
        while let Some(id) = ahead.pop() {
            let ended = self.change(id, Input::Cancel { reason }).await;
            match ended {
                Ok(_) => executions.push(id),
                Err(RunError::Ended(_)) => {}
                Err(error) => return Err(error),
            }
            if cascade {
                let filter = ExecutionFilter {
                    parent: Some(id),
                    status: Some(ExecutionStatus::Running),
                    ..ExecutionFilter::default()
                };
                let (children, _) = self.store.executions(&filter, 10_000, 0).await?;
                ahead.extend(children.iter().map(|child| child.execution_id));
            }
        }
        Ok(Cancelled { executions })
    }

    /// Marks an execution as failed that cannot go on.
    pub(crate) async fn mark_failed(
        self: &Arc<Self>,
        execution_id: i64,
        error: &str,
    ) -> Result<(), RunError> {
        self.forget(execution_id);
        let mut transaction = self.store.begin().await?;
        let row = self
            .store
            .lock_execution(&mut transaction, execution_id)
            .await?;
        let row = row.ok_or(RunError::NoExecution(execution_id))?;
        if row.status.is_final() {
            return Err(RunError::Ended(execution_id));
        }
        let event = self.end_event(&row, error);
        Store::insert_events(&mut transaction, std::slice::from_ref(&event)).await?;
        let dropped = Store::commands_of(&mut transaction, execution_id).await?;
        let progress = Progress {
            execution_id,
            status: ExecutionStatus::Failed,
            current_step: row.current_step,
            progress: row.progress,
            result: None,
            error: Some(error.to_owned()),
            end_time: Some(clock::now_ms()),
            last_event_id: event.event_id,
        };
        Store::update_execution(&mut transaction, &progress).await?;
        Store::delete_commands_of(&mut transaction, execution_id).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.after(super::changes::Written {
            change: super::Change {
                execution_id,
                turned: true,
            },
            own: Vec::new(),
            dropped,
            commands: 0,
            waiting: false,
        });
        Ok(())
    }

    /// The end of an execution that its machine does not tell.
    fn end_event(&self, row: &ExecutionRow, error: &str) -> crate::store::NewEvent {
        crate::store::NewEvent {
            execution_id: row.execution_id,
            event_id: self.ids.next_after(row.last_event_id),
            catalog_id: row.catalog_id,
            event_type: event_name::PLAYBOOK_FAILED.to_owned(),
            node_id: None,
            node_name: None,
            status: EventStatus::Failed,
            context: None,
            result: None,
            error: serde_json::to_string(&Failure::new("finalized", error)).ok(),
            meta: None,
            duration_ms: None,
            created_at: clock::now_ms(),
        }
    }

    /// Sets variables of an execution that goes on.
    pub(crate) async fn set_variables(
        self: &Arc<Self>,
        execution_id: i64,
        variables: &Map<String, Json>,
    ) -> Result<(), RunError> {
        self.change(execution_id, Input::Variables(variables))
            .await
            .map(drop)
    }

    pub(super) fn variables_event(
        &self,
        loaded: &mut super::Loaded,
        variables: &Map<String, Json>,
    ) -> NewEvent {
        let event_id = self.ids.next_after(loaded.row.last_event_id);
        loaded.row.last_event_id = event_id;
        let text = Json::Object(variables.clone()).to_string();
        NewEvent {
            execution_id: loaded.row.execution_id,
            event_id,
            catalog_id: loaded.row.catalog_id,
            event_type: "vars.set".to_owned(),
            node_id: None,
            node_name: None,
            status: EventStatus::Completed,
            context: None,
            result: None,
            error: None,
            meta: Some(text),
            duration_ms: None,
            created_at: clock::now_ms(),
        }
    }

    /// The variables of an execution, and the results of its steps.
    pub(crate) async fn variables(
        self: &Arc<Self>,
        execution_id: i64,
    ) -> Result<(Map<String, Json>, Vec<String>), RunError> {
        let seen = self
            .look(execution_id, |machine| {
                (machine.variables(), machine.completed_steps().to_vec())
            })
            .await;
        match seen {
            // Its playbook was deleted after its end: the rest of what is known of it stays readable.
            Err(RunError::NoPlaybook(_)) => Ok((Map::new(), Vec::new())),
            seen => seen,
        }
    }
}
