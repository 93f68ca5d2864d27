//! Converts rows of the store to types of the API.

use noetl_api::Failure;
use noetl_api::event::ExecutionEvent;
use noetl_api::execution::Execution;
use serde_json::{Map, Value};

use super::extract::parse_id;
use crate::clock;
use crate::error::ApiError;
use crate::store::{EventRow, ExecutionRow, Store};

/// Returns the JSON of a column; null when the column is empty.
pub(super) fn json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Returns the failure of an event.
pub(super) fn failure(row: &EventRow) -> Option<Failure> {
    let text = row.error.as_deref()?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| Failure::new("unknown", text)))
}

/// Returns an execution as lists show it.
pub(super) fn execution(row: &ExecutionRow) -> Execution {
    Execution {
        execution_id: row.execution_id.to_string(),
        catalog_id: row.catalog_id.to_string(),
        path: row.path.clone(),
        version: row.version,
        status: row.status,
        start_time: clock::rfc3339(row.start_time),
        end_time: row.end_time.map(clock::rfc3339),
        duration_seconds: row
            .end_time
            .map(|end| (end - row.start_time) as f64 / 1000.0),
        progress: row.progress,
        current_step: row.current_step.clone(),
        result: json(row.result.as_deref()),
        error: row.error.clone(),
        parent_execution_id: row.parent_execution_id.map(|id| id.to_string()),
    }
}

/// Returns an event as lists and streams show it.
pub(super) fn event(row: &EventRow) -> ExecutionEvent {
    let time = clock::rfc3339(row.created_at);
    ExecutionEvent {
        event_id: row.event_id.to_string(),
        execution_id: row.execution_id.to_string(),
        catalog_id: row.catalog_id.to_string(),
        event_type: row.event_type.clone(),
        node_id: row.node_id.clone(),
        node_name: row.node_name.clone(),
        status: row.status,
        created_at: time.clone(),
        timestamp: time,
        context: json(row.context.as_deref()),
        result: json(row.result.as_deref()),
        error: failure(row),
        meta: Map::new(),
        duration: row.duration_ms.map(|ms| ms as f64 / 1000.0),
        parent_event_id: None,
        parent_execution_id: None,
    }
}

/// Returns the row of the execution that a path names.
pub(super) async fn find_execution(
    store: &Store,
    execution_id: &str,
) -> Result<ExecutionRow, ApiError> {
    let row = store
        .execution(parse_id(execution_id, "execution")?)
        .await?;
    row.ok_or_else(|| {
        ApiError::not_found(format!("there is no execution {execution_id}"))
            .help("`noetl list Execution` shows those that are there")
    })
}
