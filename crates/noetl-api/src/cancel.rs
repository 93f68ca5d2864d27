//! Ending executions before their time.

use serde::{Deserialize, Serialize};

use crate::ExecutionStatus;

/// How to cancel an execution.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelRequest {
    /// The reason, for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether executions that it started are cancelled as well; true when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cascade: Option<bool>,
}

/// The result of a cancellation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelAnswer {
    /// Whether the execution was cancelled now.
    pub status: CancelStatus,
    /// The execution that was asked for.
    pub execution_id: String,
    /// Every execution that was cancelled.
    pub cancelled_executions: Vec<String>,
    /// One sentence for people.
    pub message: String,
}

word_enum! {
    /// Whether an execution was cancelled.
    CancelStatus {
        /// It was.
        Cancelled = "cancelled",
        /// It had ended before.
        AlreadyCompleted = "already_completed",
    }
}

/// Whether an execution has ended, for workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancellationCheck {
    /// The execution.
    pub execution_id: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The type of the event that ended it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub event_type: Option<String>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// Whether it ended well.
    pub completed: bool,
    /// Whether it failed.
    pub failed: bool,
}

/// How to end an execution by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinalizeRequest {
    /// `FAILED` or `CANCELLED`, in upper or lower case; `FAILED` when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The reason, for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same under another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The result of ending an execution by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinalizeAnswer {
    /// Whether the execution was ended now.
    pub status: FinalizeStatus,
    /// The execution.
    pub execution_id: String,
    /// One sentence for people.
    pub message: String,
}

word_enum! {
    /// Whether an execution was ended by hand.
    FinalizeStatus {
        /// It was.
        Finalized = "finalized",
        /// It had ended before.
        AlreadyCompleted = "already_completed",
    }
}

/// Which executions to clean up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CleanupRequest {
    /// A day when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 5256000))]
    pub older_than_minutes: Option<u32>,
    /// Only list the executions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// Which executions to delete.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpireRequest {
    /// Those that ended more than so many days ago.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 36500))]
    pub older_than_days: u16,
    /// Only count the executions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// The result of deleting executions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpireAnswer {
    /// How many executions were, or would be, deleted with their events, results and logs.
    pub deleted_count: usize,
    /// One sentence for people.
    pub message: String,
}

/// The result of a clean-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CleanupAnswer {
    /// How many executions were, or would be, cancelled.
    pub cancelled_count: usize,
    /// Their ids.
    pub execution_ids: Vec<String>,
    /// One sentence for people.
    pub message: String,
}
