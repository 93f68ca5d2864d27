//! Starts that are asked for twice: by a client with its key, or by a step that runs again.

use serde_json::Value as Json;

use super::error::RunError;
use super::service::Executions;
use super::start::Started;
use crate::store::{ExecutionRow, Store};

impl Executions {
    /// Returns the execution that was started with the same call. Fails when it is one of another request.
    pub(super) async fn started_before(
        &self,
        row: &ExecutionRow,
        idempotency_key: Option<String>,
        payload: &str,
    ) -> Result<Started, RunError> {
        let call = row.parent_call.as_deref().unwrap_or_default();
        let known = self.store.execution_by_call(call).await?;
        let known = known.ok_or(RunError::NoExecution(row.execution_id))?;
        if let Some(key) = idempotency_key {
            let first = Store::payload(&mut *self.store.read().await?, known.execution_id).await?;
            let first = Json::Object(first).to_string();
            let is_same = known.path == row.path
                && known.target == row.target
                && known.retried_id == row.retried_id
                && first == payload;
            if !is_same {
                return Err(RunError::OtherRequest(key));
            }
        }
        Ok(Started {
            execution_id: known.execution_id,
            commands: 0,
            catalog_id: known.catalog_id,
            version: known.version,
        })
    }
}
