//! The calls of an execution in time.

use serde::{Deserialize, Serialize};

use crate::StepStatus;

/// The calls of an execution in time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timeline {
    /// The execution.
    pub execution_id: String,
    /// Its calls, by their beginning.
    pub steps: Vec<TimelineStep>,
}

/// One call of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineStep {
    /// The step.
    pub step: String,
    /// The iteration of its loop.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub iteration: Option<u64>,
    /// The attempt, from 1.
    pub attempt: u64,
    /// Where the call stands.
    pub status: StepStatus,
    /// When it began, in RFC 3339.
    pub start_time: String,
    /// When it ended.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub end_time: Option<String>,
    /// How long it took.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub duration_seconds: Option<f64>,
    /// The worker that ran it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub worker_id: Option<String>,
    /// Why it failed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
}
