//! Executions and events as answers show them.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::clock;
use crate::store::{EventRow, ExecutionRow};

/// An execution in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Item {
    pub(crate) execution_id: String,
    pub(crate) catalog_id: String,
    pub(crate) path: String,
    pub(crate) version: i64,
    pub(crate) status: String,
    pub(crate) start_time: String,
    pub(crate) end_time: Option<String>,
    pub(crate) duration_seconds: Option<f64>,
    /// From 0 to 100.
    pub(crate) progress: i64,
    pub(crate) current_step: Option<String>,
    /// What it gave, when that is small.
    pub(crate) result: Value,
    pub(crate) error: Option<String>,
    pub(crate) parent_execution_id: Option<String>,
}

/// A line of an execution's log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EventItem {
    pub(crate) event_id: String,
    execution_id: String,
    catalog_id: String,
    event_type: String,
    /// The command.
    node_id: Option<String>,
    /// The step.
    node_name: Option<String>,
    status: String,
    created_at: String,
    timestamp: String,
    context: Value,
    result: Value,
    error: Value,
    meta: Map<String, Value>,
    /// Seconds.
    duration: Option<f64>,
    parent_event_id: Option<String>,
    parent_execution_id: Option<String>,
}

/// A column that holds JSON.
pub(super) fn json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

impl From<&ExecutionRow> for Item {
    fn from(row: &ExecutionRow) -> Self {
        Self {
            execution_id: row.execution_id.to_string(),
            catalog_id: row.catalog_id.to_string(),
            path: row.path.clone(),
            version: row.version,
            status: row.status.clone(),
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
}

impl From<&EventRow> for EventItem {
    fn from(row: &EventRow) -> Self {
        let time = clock::rfc3339(row.created_at);
        Self {
            event_id: row.event_id.to_string(),
            execution_id: row.execution_id.to_string(),
            catalog_id: row.catalog_id.to_string(),
            event_type: row.event_type.clone(),
            node_id: row.node_id.clone(),
            node_name: row.node_name.clone(),
            status: row.status.clone(),
            created_at: time.clone(),
            timestamp: time,
            context: json(row.context.as_deref()),
            result: json(row.result.as_deref()),
            error: json(row.error.as_deref()),
            meta: Map::new(),
            duration: row.duration_ms.map(|ms| ms as f64 / 1000.0),
            parent_event_id: None,
            parent_execution_id: None,
        }
    }
}
