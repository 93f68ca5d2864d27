//! What steps print: workers send it, and readers get it by execution.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use noetl_api::AnswerStatus;
use noetl_api::log::{LogPage, LogQuery, LogReceipt, LogReport, LogSummary};

use super::extract::{Body, Path, Query, check_name};
use super::rows::find_execution;
use super::state::AppState;
use super::workers::check_worker_name;
use crate::error::ApiError;
use crate::store::{LogFilter, LogPosition};

/// The routes of logs.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/executions/{execution_id}/logs", get(lines))
        .route("/api/executions/{execution_id}/logs/summary", get(summary))
        .route("/api/worker/logs", post(report))
}

/// Get what the steps of an execution have printed
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/logs", tag = "executions",
    params(("execution_id" = String, Path), LogQuery),
    responses((status = 200, body = LogPage), ApiError)))]
pub(crate) async fn lines(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    // The status is read first, so that the lines before its end are in the log.
    let row = find_execution(&server.store, &execution_id).await?;
    let after = position(query.after.as_deref())?;
    let limit = query.limit.unwrap_or(1000).clamp(1, 10_000);
    let filter = LogFilter {
        step: query.step,
        attempt: query.attempt,
        item: query.item,
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    let (lines, after, more) = server
        .store
        .log_lines(row.execution_id, &filter, after, limit)
        .await?;
    Ok(Json(LogPage {
        lines,
        after: after.to_string(),
        more,
        status: row.status,
    }))
}

/// Reads the field `after` of an answer.
pub(super) fn position(after: Option<&str>) -> Result<LogPosition, ApiError> {
    let Some(text) = after else {
        return Ok(LogPosition::default());
    };
    text.parse().map_err(|()| {
        ApiError::invalid(format!("`{text}` is not the field `after` of an answer"))
            .help("leave it out to begin with the first line")
    })
}

/// Get how much each attempt has printed
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/logs/summary", tag = "executions",
    params(("execution_id" = String, Path)),
    responses((status = 200, body = LogSummary), ApiError)))]
pub(crate) async fn summary(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<LogSummary>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    Ok(Json(LogSummary {
        attempts: server.store.log_attempts(row.execution_id, None).await?,
        execution_id,
    }))
}

/// Report what steps have printed; all of it is kept when the answer comes
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/worker/logs", tag = "workers", request_body = LogReport,
    responses((status = 200, body = LogReceipt), ApiError)))]
pub(crate) async fn report(
    State(server): State<AppState>,
    Body(request): Body<LogReport>,
) -> Result<Json<LogReceipt>, ApiError> {
    check_worker_name(&request.worker_id)?;
    for log in &request.logs {
        for (name, text) in [
            ("step's name", &log.step),
            ("command's id", &log.command_id),
        ] {
            check_name(name, text)?;
        }
        check_name("run", &log.run)?;
        if log.attempt == 0 || log.lines.iter().any(|line| line.time < 0) {
            return Err(ApiError::invalid(
                "attempts count from 1, and times are not before 1970",
            ));
        }
    }
    let unknown = server.executions.append_logs(&request.logs).await?;
    Ok(Json(LogReceipt {
        status: AnswerStatus::Ok,
        unknown,
    }))
}
