//! What starts an execution, and the row that it begins with.

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value as Json};

use crate::clock;
use crate::store::{CatalogEntry, ExecutionRow};

/// What to start.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) payload: Map<String, Json>,
    pub(crate) target: Option<String>,
    pub(crate) parent_execution_id: Option<i64>,
    /// Identifies the call of the parent: a second start with the same value returns the first execution.
    pub(crate) parent_call: Option<String>,
    /// Identifies the request of a client, in the same way.
    pub(crate) idempotency_key: Option<String>,
    /// The execution whose results this one begins with, and the first of the chain that it belongs to.
    pub(crate) retry_of: Option<(i64, i64)>,
}

impl Start {
    /// The unique value of the start in the store; none when each start is another execution.
    fn call(&self) -> Option<String> {
        let key = self.idempotency_key.as_ref();
        key.map(|key| format!("key:{key}"))
            .or_else(|| self.parent_call.clone())
    }

    /// Returns the row of the execution that begins.
    pub(super) fn row(&self, execution_id: i64, entry: &CatalogEntry) -> ExecutionRow {
        ExecutionRow {
            execution_id,
            catalog_id: entry.catalog_id,
            path: entry.path.clone(),
            version: entry.version,
            status: ExecutionStatus::Pending,
            target: self.target.clone(),
            parent_execution_id: self.parent_execution_id,
            parent_call: self.call(),
            current_step: None,
            progress: 0,
            result: None,
            error: None,
            start_time: clock::now_ms(),
            end_time: None,
            last_event_id: 0,
            retried_id: self.retry_of.map(|(before, _)| before),
            first_id: self.retry_of.map(|(_, first)| first),
        }
    }
}

/// A started execution.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) execution_id: i64,
    /// How many commands were issued; 0 when it had been started before.
    pub(crate) commands: usize,
    pub(crate) catalog_id: i64,
    pub(crate) version: i64,
}
