//! Ending executions before their time, and their variables.

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value as Json};

use super::error::RunError;
use super::service::{Executions, Input};
use crate::store::{ExecutionFilter, StoreError};

/// Executions that one execution may have started and that a cancellation ends with it.
const CHILDREN: i64 = 10_000;

impl Executions {
    /// Cancels an execution and, with `cascade`, those that it started. One that has ended is left alone.
    /// Returns those that were cancelled, the one asked for first.
    pub(crate) async fn cancel(
        &self,
        execution_id: i64,
        reason: &str,
        cascade: bool,
    ) -> Result<Vec<i64>, RunError> {
        let mut cancelled = Vec::new();
        let mut ahead = vec![execution_id];
        while let Some(id) = ahead.pop() {
            match self.change(id, Input::Cancel { reason }).await {
                Ok(_) => cancelled.push(id),
                Err(RunError::Ended(_)) => {}
                Err(error) => return Err(error),
            }
            if cascade {
                let filter = ExecutionFilter {
                    parent: Some(id),
                    status: Some(ExecutionStatus::Running),
                    ..ExecutionFilter::default()
                };
                let (children, _) = self.store.executions(&filter, CHILDREN, 0).await?;
                ahead.extend(children.iter().map(|child| child.execution_id));
            }
        }
        Ok(cancelled)
    }

    /// Marks an execution as failed whose machine cannot go on.
    pub(crate) async fn mark_failed(&self, execution_id: i64, error: &str) -> Result<(), RunError> {
        self.machines.forget(execution_id);
        let mut transaction = self.store.begin().await?;
        let row = self
            .store
            .lock_execution(&mut transaction, execution_id)
            .await?;
        let row = row.ok_or(RunError::NoExecution(execution_id))?;
        if row.status.is_final() {
            return Err(RunError::Ended(execution_id));
        }
        let written = self
            .writer
            .write_failure(&mut transaction, row, error)
            .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.publish(written);
        Ok(())
    }

    /// Sets variables of an execution that goes on.
    pub(crate) async fn set_variables(
        &self,
        execution_id: i64,
        variables: &Map<String, Json>,
    ) -> Result<(), RunError> {
        self.change(execution_id, Input::Variables(variables))
            .await
            .map(drop)
    }

    /// The variables of an execution, and the steps that ended well.
    pub(crate) async fn variables(
        &self,
        execution_id: i64,
    ) -> Result<(Map<String, Json>, Vec<String>), RunError> {
        let seen = self
            .look(execution_id, |machine| {
                (machine.variables(), machine.completed_steps().to_vec())
            })
            .await;
        match seen {
            // Its playbook was deleted after its end; the rest of what is known of it stays readable.
            Err(RunError::NoPlaybook(_)) => Ok((Map::new(), Vec::new())),
            seen => seen,
        }
    }
}
