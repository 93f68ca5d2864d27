//! Sums over executions.

use serde::{Deserialize, Serialize};

use crate::AnswerStatus;
use crate::execution::Execution;

/// The span of time that a dashboard shows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::IntoParams),
    into_params(parameter_in = Query)
)]
pub struct DashboardQuery {
    /// From 1 to 8760; 24 when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<i64>,
}

/// What a dashboard shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dashboard {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// The sums.
    pub stats: DashboardSums,
    /// As in `stats`, for older clients.
    pub total_executions: i64,
    /// As in `stats`, for older clients.
    pub successful_executions: i64,
    /// As in `stats`, for older clients.
    pub failed_executions: i64,
    /// As in `stats`, for older clients.
    pub total_playbooks: i64,
    /// `running_executions` of `stats`, for older clients.
    pub active_workflows: i64,
    /// The executions by the time at which they began.
    pub series: Vec<DashboardBucket>,
    /// The steps whose calls took longest on average, of the newest 5000 calls in the span.
    pub slowest_steps: Vec<SlowStep>,
    /// The latest executions that have not ended.
    pub running: Vec<Execution>,
    /// The latest executions that failed.
    pub recent_failures: Vec<Execution>,
}

/// Sums over the executions that began in the span of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardSums {
    /// All of them.
    pub total_executions: i64,
    /// Those that ended well.
    pub successful_executions: i64,
    /// Those that failed.
    pub failed_executions: i64,
    /// Those that were cancelled.
    pub cancelled_executions: i64,
    /// Executions whose first step waits for a worker, whenever they were started.
    pub pending_executions: i64,
    /// Executions that run now, whenever they began.
    pub running_executions: i64,
    /// Commands that wait for a worker.
    pub queue_depth: i64,
    /// Playbooks in the catalog.
    pub total_playbooks: i64,
    /// Credentials.
    pub total_credentials: i64,
    /// Workers that are online, with each server that has slots of its own.
    pub workers: usize,
    /// Of those that ended by themselves, from 0 to 1.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub success_rate: Option<f64>,
}

/// The executions that began in one part of the span.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardBucket {
    /// When the part begins, in RFC 3339.
    pub start: String,
    /// Those that ended well.
    pub completed: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those that were cancelled.
    pub cancelled: i64,
    /// Those whose first step waits for a worker.
    pub pending: i64,
    /// Those that run.
    pub running: i64,
}

/// How long a step's calls take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlowStep {
    /// The playbook's path.
    pub path: String,
    /// The step.
    pub step: String,
    /// How many calls.
    pub count: i64,
    /// How long they took on average.
    pub avg_seconds: f64,
    /// How long the longest took.
    pub max_seconds: f64,
}
