//! Converts rows of the store to types of the API.

use noetl_api::Failure;
use noetl_api::event::ExecutionEvent;
use noetl_api::execution::{Execution, OmittedValue};
use serde_json::{Map, Value};

use super::extract::parse_id;
use crate::clock;
use crate::error::ApiError;
use crate::store::{Column, EventRow, ExecutionRow, Reference, Store, references, splice};

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
            .map(|end| clock::seconds_between(row.start_time, end)),
        progress: row.progress,
        current_step: row.current_step.clone(),
        result: json(row.result.as_deref()),
        error: row.error.clone(),
        parent_execution_id: row.parent_execution_id.map(|id| id.to_string()),
        retry_of: row.retried_id.map(|id| id.to_string()),
    }
}

/// Returns the JSON of a column of an event, with the size and the address of large values.
fn column(row: &EventRow, column: Column) -> Result<Value, ApiError> {
    let Some(text) = row.text(column) else {
        return Ok(Value::Null);
    };
    let references = references(row.contents.as_deref(), column, text)?;
    if references.is_empty() {
        return Ok(json(Some(text)));
    }
    let shown = references.iter().map(|reference| {
        let Reference { hash, bytes, .. } = reference;
        let href = format!("/api/executions/{}/contents/{hash}", row.execution_id);
        (
            reference.offset,
            Value::from(OmittedValue::new(*bytes, href)).to_string(),
        )
    });
    let shown: Vec<_> = shown.collect();
    let places = shown.iter().map(|(offset, text)| (*offset, text.as_str()));
    Ok(json(Some(&splice(text, places))))
}

/// Returns events as lists and streams show them.
pub(super) fn events(rows: &[EventRow]) -> Result<Vec<ExecutionEvent>, ApiError> {
    rows.iter().map(event).collect()
}

fn event(row: &EventRow) -> Result<ExecutionEvent, ApiError> {
    let time = clock::rfc3339(row.created_at);
    Ok(ExecutionEvent {
        event_id: row.event_id.to_string(),
        execution_id: row.execution_id.to_string(),
        catalog_id: row.catalog_id.to_string(),
        event_type: row.event_type.clone(),
        node_id: row.node_id.clone(),
        node_name: row.node_name.clone(),
        status: row.status,
        created_at: time.clone(),
        timestamp: time,
        context: column(row, Column::Context)?,
        result: column(row, Column::Result)?,
        error: failure(row),
        meta: Map::new(),
        duration: row.duration_ms.map(|ms| ms as f64 / 1000.0),
        parent_event_id: None,
        parent_execution_id: None,
    })
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
