//! Cancelling executions, one by one or all that have run for too long, ending them by hand, and deleting old ones.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use noetl_api::cancel::{
    CancelAnswer, CancelRequest, CancelStatus, CancellationCheck, CleanupAnswer, CleanupRequest,
    ExpireAnswer, ExpireRequest, FinalizeAnswer, FinalizeRequest, FinalizeStatus,
};
use noetl_api::{ExecutionStatus, Failure};
use noetl_engine::execution::event_name;

use super::extract::{Body, OptionalBody, Path};
use super::rows::find_execution;
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::executions::RunError;
use crate::store::ExecutionFilter;

/// For how many minutes an execution must have been running to be cleaned up, when the request does not say.
const OLD_MINUTES: u32 = 24 * 60;

/// The routes that end executions.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/executions/{execution_id}/cancel", post(cancel))
        .route(
            "/api/executions/{execution_id}/cancellation-check",
            get(cancellation_check),
        )
        .route("/api/executions/{execution_id}/finalize", post(finalize))
        .route("/api/executions/cleanup", post(cleanup))
        .route("/api/executions/expire", post(expire))
}

/// Cancel an execution
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/{execution_id}/cancel", tag = "executions", request_body = Option<CancelRequest>,
    params(("execution_id" = String, Path)),
    responses((status = 200, body = CancelAnswer), ApiError)))]
pub(crate) async fn cancel(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    OptionalBody(request): OptionalBody<CancelRequest>,
) -> Result<Json<CancelAnswer>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let reason = request
        .reason
        .unwrap_or_else(|| "cancelled by request".to_owned());
    let cancelled = server
        .executions
        .cancel(row.execution_id, &reason, request.cascade.unwrap_or(true))
        .await?;
    let own = cancelled.contains(&row.execution_id);
    Ok(Json(CancelAnswer {
        status: if own {
            CancelStatus::Cancelled
        } else {
            CancelStatus::AlreadyCompleted
        },
        message: if own {
            format!(
                "execution {execution_id} is cancelled, {} in all",
                cancelled.len()
            )
        } else {
            format!("execution {execution_id} had ended as {}", row.status)
        },
        cancelled_executions: cancelled.iter().map(i64::to_string).collect(),
        execution_id,
    }))
}

/// Check whether an execution has ended
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/cancellation-check", tag = "executions",
    params(("execution_id" = String, Path)),
    responses((status = 200, body = CancellationCheck), ApiError)))]
pub(crate) async fn cancellation_check(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<CancellationCheck>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let event_type = match row.status {
        ExecutionStatus::Pending | ExecutionStatus::Running => None,
        ExecutionStatus::Completed => Some(event_name::PLAYBOOK_COMPLETED),
        ExecutionStatus::Failed => Some(event_name::PLAYBOOK_FAILED),
        ExecutionStatus::Cancelled => Some(event_name::EXECUTION_CANCELLED),
    };
    Ok(Json(CancellationCheck {
        execution_id,
        event_type: event_type.map(str::to_owned),
        cancelled: row.status == ExecutionStatus::Cancelled,
        completed: row.status == ExecutionStatus::Completed,
        failed: row.status == ExecutionStatus::Failed,
        status: row.status,
    }))
}

/// End an execution by hand
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/{execution_id}/finalize", tag = "executions", request_body = Option<FinalizeRequest>,
    params(("execution_id" = String, Path)),
    responses((status = 200, body = FinalizeAnswer), ApiError)))]
pub(crate) async fn finalize(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    OptionalBody(request): OptionalBody<FinalizeRequest>,
) -> Result<Json<FinalizeAnswer>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let reason = request
        .error
        .or(request.reason)
        .unwrap_or_else(|| "finalized by request".to_owned());
    let status = request.status.map(|status| status.to_uppercase());
    let ended = match status.as_deref().map(str::parse) {
        None | Some(Ok(ExecutionStatus::Failed)) => {
            server
                .executions
                .mark_failed(row.execution_id, &Failure::new("finalized", reason))
                .await
        }
        Some(Ok(ExecutionStatus::Cancelled)) => server
            .executions
            .cancel(row.execution_id, &reason, true)
            .await
            .map(drop),
        Some(_) => {
            return Err(ApiError::invalid(format!(
                "status `{}` is neither FAILED nor CANCELLED",
                status.unwrap_or_default()
            )));
        }
    };
    let (status, message) = match ended {
        Ok(()) => (
            FinalizeStatus::Finalized,
            format!("execution {execution_id} has ended"),
        ),
        Err(RunError::Ended(_)) => (
            FinalizeStatus::AlreadyCompleted,
            format!("execution {execution_id} had ended as {}", row.status),
        ),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(FinalizeAnswer {
        status,
        execution_id,
        message,
    }))
}

/// Delete executions that ended long ago
///
/// Their events, results and logs go with them. Those that a running execution has started are kept.
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/expire", tag = "executions", request_body = ExpireRequest,
    responses((status = 200, body = ExpireAnswer), ApiError)))]
pub(crate) async fn expire(
    State(server): State<AppState>,
    Body(request): Body<ExpireRequest>,
) -> Result<Json<ExpireAnswer>, ApiError> {
    let age = Duration::from_secs(u64::from(request.older_than_days) * 24 * 60 * 60);
    let dry_run = request.dry_run.unwrap_or(false);
    let deleted_count = server.executions.expire(age, dry_run).await?;
    let verb = if dry_run { "would be" } else { "were" };
    Ok(Json(ExpireAnswer {
        message: format!("{deleted_count} executions {verb} deleted"),
        deleted_count,
    }))
}

/// Cancel executions that have run for too long
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/cleanup", tag = "executions", request_body = Option<CleanupRequest>,
    responses((status = 200, body = CleanupAnswer), ApiError)))]
pub(crate) async fn cleanup(
    State(server): State<AppState>,
    OptionalBody(request): OptionalBody<CleanupRequest>,
) -> Result<Json<CleanupAnswer>, ApiError> {
    let minutes = i64::from(request.older_than_minutes.unwrap_or(OLD_MINUTES));
    let filter = ExecutionFilter {
        statuses: ExecutionStatus::ACTIVE,
        until: Some(clock::now_ms() - minutes * 60_000),
        ..ExecutionFilter::default()
    };
    let rows = server.store.executions(&filter, 10_000, 0).await?;
    let mut ids: Vec<i64> = rows.iter().map(|row| row.execution_id).collect();
    let dry_run = request.dry_run.unwrap_or(false);
    if !dry_run {
        let mut ended = Vec::new();
        for id in ids {
            // An execution whose playbook cannot be read is marked as failed, and the clean-up goes on.
            let reason = format!("ran for more than {minutes} minutes");
            match server.executions.cancel(id, &reason, true).await {
                Ok(cancelled) => ended.extend(cancelled),
                Err(RunError::NoPlaybook(_) | RunError::Invalid(_)) => {
                    let failure = Failure::new("finalized", reason);
                    server.executions.mark_failed(id, &failure).await?;
                    ended.push(id);
                }
                Err(error) => return Err(error.into()),
            }
        }
        ids = ended;
    }
    let verb = if dry_run { "would be" } else { "were" };
    Ok(Json(CleanupAnswer {
        cancelled_count: ids.len(),
        message: format!("{} executions {verb} cancelled", ids.len()),
        execution_ids: ids.iter().map(i64::to_string).collect(),
    }))
}
