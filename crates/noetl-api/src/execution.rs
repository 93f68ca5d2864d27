//! Starting, listing and following executions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::ExecutionEvent;
use crate::{ExecutionStatus, Id, Version};

/// The playbook to execute, by path and version or by the id of a version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecuteRequest {
    /// The path in the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The id of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub catalog_id: Option<Id>,
    /// The version; the latest when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Values that override the playbook's workload.
    #[serde(
        default,
        alias = "workload",
        alias = "args",
        skip_serializing_if = "Option::is_none"
    )]
    pub payload: Option<Map<String, Value>>,
    /// Values as text, which override the payload. A key may be a path. Each is text where the playbook's default is
    /// text; elsewhere it is JSON if it can be read as JSON, and text if not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// The execution that starts this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub parent_execution_id: Option<Id>,
    /// Begins at this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A started execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Started {
    /// The execution.
    pub execution_id: String,
    /// Always `started`.
    pub status: StartStatus,
    /// Commands that were issued at once.
    pub commands_generated: usize,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i64,
    /// The id of that version.
    pub catalog_id: String,
}

word_enum! {
    /// Whether an execution was started.
    StartStatus {
        /// It was; an error has another body.
        Started = "started",
    }
}

/// The payload of another execution.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RerunRequest {
    /// Replaces the payload of the first execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Map<String, Value>>,
}

/// What an execution was started with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionInput {
    /// The values that were given; the playbook's workload has the others.
    pub payload: Map<String, Value>,
    /// The step at which it began; null for the playbook's own.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub target: Option<String>,
}

/// How to retry an execution. Other fields are refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryRequest {
    /// The version of the playbook; that of the first execution when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// An execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Execution {
    /// Its id.
    pub execution_id: String,
    /// The id of the playbook's version.
    pub catalog_id: String,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i64,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it began, in RFC 3339.
    pub start_time: String,
    /// When it ended.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub end_time: Option<String>,
    /// How long it took.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub duration_seconds: Option<f64>,
    /// From 0 to 100.
    pub progress: i64,
    /// The step that was entered last.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub current_step: Option<String>,
    /// Its result; when that is large, an [`OmittedValue`].
    pub result: Value,
    /// Why it failed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
    /// The execution that started this one.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub parent_execution_id: Option<String>,
    /// The execution whose results this one began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
}

/// What stands in answers for a value that is too large to be included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OmittedValue {
    /// The size of its JSON.
    pub omitted_bytes: usize,
    /// The path of this API that answers with the value.
    pub href: String,
}

impl OmittedValue {
    /// A value of so many bytes that a path of the API answers with.
    pub fn new(omitted_bytes: usize, href: String) -> Self {
        Self {
            omitted_bytes,
            href,
        }
    }
}

impl From<OmittedValue> for Value {
    fn from(omitted: OmittedValue) -> Self {
        serde_json::to_value(omitted).unwrap_or_default()
    }
}

/// Which executions to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ExecutionListQuery {
    /// An execution's status, in upper or lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The playbook's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Part of a path or error, or the first digits of an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The id of the playbook's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog_id: Option<String>,
    /// The execution that started them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_execution_id: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// At the most 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// How many to skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

/// Where a page stands among all pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pagination {
    /// The page, from 1.
    pub page: i64,
    /// Events on a page.
    pub page_size: i64,
    /// Events in all.
    pub total_events: i64,
    /// Pages in all.
    pub total_pages: i64,
    /// Whether a page follows.
    pub has_next: bool,
    /// Whether a page comes before.
    pub has_prev: bool,
}

/// An execution with a page of its log, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionDetail {
    /// The execution.
    #[serde(flatten)]
    pub execution: Execution,
    /// The page.
    pub events: Vec<ExecutionEvent>,
    /// Where it stands.
    pub pagination: Pagination,
}

/// Which page of the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct EventPageQuery {
    /// The page, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<i64>,
    /// From 10 to 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<i64>,
    /// Only events after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_event_id: Option<String>,
    /// Only events of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
}

/// Where an execution stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionState {
    /// The execution.
    pub execution_id: String,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i64,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The step that was entered last.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub current_step: Option<String>,
    /// Steps that ended well, in order.
    pub completed_steps: Vec<String>,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it ended well.
    pub completed: bool,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The workload, and the variables that steps have set.
    pub variables: Map<String, Value>,
    /// Why it failed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
    /// Its result, when that is small.
    pub result: Value,
    /// When it began, in RFC 3339.
    pub start_time: String,
    /// When it ended.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub end_time: Option<String>,
    /// How long it took, or has taken until now.
    pub duration_seconds: f64,
    /// The same for people, such as `1m 3s`.
    pub duration_human: String,
}

/// The last message of an execution's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionEnd {
    /// The execution.
    pub execution_id: String,
    /// How it ended.
    pub status: ExecutionStatus,
}
