//! The event log, and the events that workers report.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AnswerStatus, EventStatus, ExecutionStatus, Failure, Id};

/// An event of an execution's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionEvent {
    /// Its id; ids grow in the order of the log.
    pub event_id: String,
    /// The execution.
    pub execution_id: String,
    /// The id of the playbook's version.
    pub catalog_id: String,
    /// What happened, such as `command.issued` or `playbook.completed`.
    pub event_type: String,
    /// The command.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub node_id: Option<String>,
    /// The step.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub node_name: Option<String>,
    /// The status of its execution, step or command after the event.
    pub status: EventStatus,
    /// When it was written, in RFC 3339.
    pub created_at: String,
    /// The same under another name.
    pub timestamp: String,
    /// The input: arguments, the loop's item, the payload.
    pub context: Value,
    /// The output.
    pub result: Value,
    /// Why it failed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<Failure>,
    /// Always empty: older clients read it.
    pub meta: Map<String, Value>,
    /// Seconds.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub duration: Option<f64>,
    /// Always null: older clients read it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub parent_event_id: Option<String>,
    /// Always null: older clients read it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub parent_execution_id: Option<String>,
}

/// Which events to get.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct EventsAfterQuery {
    /// The last event that is known; none begins with the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At the most 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// Events in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventList {
    /// The events.
    pub events: Vec<ExecutionEvent>,
    /// The last one, to ask for those after it.
    pub last_event_id: String,
    /// Where the execution stands.
    pub status: ExecutionStatus,
}

/// An event of a command that a worker reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRequest {
    /// The execution.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub execution_id: Id,
    /// The step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// `call.done`, `call.error` or `command.claimed`; events of other names are accepted and change nothing.
    #[serde(alias = "event_type")]
    pub name: String,
    /// The outcome.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// Holds the `command_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
    /// The worker that reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
}

/// The result of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventAnswer {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// Its id in the log; null for an event that changes nothing.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub event_id: Option<String>,
    /// How many commands were issued.
    pub commands_generated: usize,
    /// Whether it was in the log before.
    pub duplicate: bool,
}

/// Several events of one execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchRequest {
    /// The execution.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub execution_id: Id,
    /// The events, in their order.
    pub events: Vec<BatchEvent>,
    /// The worker that reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
}

/// One event of a batch; its fields are those of a single report.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchEvent {
    /// The step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What happened.
    #[serde(alias = "event_type")]
    pub name: String,
    /// The outcome.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// Holds the `command_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// The result of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// `completed`: all events of a batch are in the log before it is answered.
    pub status: BatchStatus,
    /// The id of the batch, for `/api/events/batch/{request_id}/status`.
    pub request_id: String,
    /// The ids of its events in the log, in their order.
    pub event_ids: Vec<String>,
    /// How many commands were issued.
    pub commands_generated: usize,
    /// Commands of all executions that wait for a worker.
    pub queue_depth: i64,
    /// Whether all of its events were in the log before.
    pub duplicate: bool,
}

/// Where a batch stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchState {
    /// The batch.
    pub request_id: String,
    /// Its execution.
    pub execution_id: String,
    /// `completed`.
    pub status: BatchStatus,
}

word_enum! {
    /// Where a batch stands.
    BatchStatus {
        /// Its events are in the log, and their commands are issued.
        Completed = "completed",
    }
}
