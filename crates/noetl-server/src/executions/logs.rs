//! What the steps of executions print.

use noetl_api::log::AttemptLog;

use super::error::RunError;
use super::service::Executions;
use crate::changes::{Change, ChangeKind};

impl Executions {
    /// Keeps lines of attempts, all or none of them, and wakes those who follow the executions. Returns the executions that
    /// do not exist.
    pub(crate) async fn append_logs(&self, logs: &[AttemptLog]) -> Result<Vec<String>, RunError> {
        let parsed: Vec<_> = logs
            .iter()
            .filter_map(|log| Some((log.execution_id.to_string().parse().ok()?, log)))
            .collect();
        let unknown = self.store.append_logs(&parsed, self.log_limit).await?;
        for (execution_id, _) in &parsed {
            self.changes.publish(Change {
                execution_id: *execution_id,
                kind: ChangeKind::Log,
            });
        }
        let is_no_id = |log: &&AttemptLog| log.execution_id.to_string().parse::<i64>().is_err();
        let mut unknown: Vec<String> = unknown.iter().map(i64::to_string).collect();
        unknown.extend(
            logs.iter()
                .filter(is_no_id)
                .map(|log| log.execution_id.to_string()),
        );
        Ok(unknown)
    }
}
