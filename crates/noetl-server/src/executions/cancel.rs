//! Cancels executions, marks them as failed, and sets and reads their variables.

use noetl_api::{ExecutionStatus, Failure};

use super::error::RunError;
use super::service::{Executions, Input};
use crate::store::ExecutionFilter;

/// How many executions that an execution started are cancelled with it.
const CHILDREN: i64 = 10_000;

impl Executions {
    /// Cancels an execution and, with `cascade`, those that it started. Executions that have ended are skipped.
    /// Returns the executions that were cancelled.
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
                    statuses: ExecutionStatus::ACTIVE,
                    ..ExecutionFilter::default()
                };
                let children = self.store.executions(&filter, CHILDREN, 0).await?;
                ahead.extend(children.iter().map(|child| child.execution_id));
            }
        }
        Ok(cancelled)
    }

    /// Marks an execution as failed whose machine cannot be restored.
    pub(crate) async fn mark_failed(
        &self,
        execution_id: i64,
        failure: &Failure,
    ) -> Result<(), RunError> {
        self.machines.forget(execution_id);
        let mut transaction = self.store.begin().await?;
        let row = self
            .store
            .lock_execution(&mut transaction, execution_id)
            .await?;
        let row = match row {
            Some(row) if row.status.is_final() => Err(RunError::Ended(execution_id)),
            Some(row) => Ok(row),
            None => Err(RunError::NoExecution(execution_id)),
        };
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                transaction.rollback().await;
                return Err(error);
            }
        };
        let written = self
            .writer
            .write_failure(&mut transaction, row, failure)
            .await?;
        transaction.commit().await?;
        self.publish(written);
        Ok(())
    }
}
