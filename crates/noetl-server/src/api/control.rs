//! Ending executions, and looking at how they went: timeline and graph.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Server;
use super::error::{ApiError, ErrorBody, OptionalBody, Path};
use super::executions::row;
use super::graph::{ExecutionGraph, Graph, states};
use crate::clock;
use crate::runs::RunError;
use crate::store::{EventRow, ExecutionFilter};

/// The most events that a timeline or graph is made from.
const MAX_EVENTS: i64 = 50_000;

/// Why to cancel.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct CancelRequest {
    reason: Option<String>,
    /// Whether executions that it started are cancelled as well; true when missing.
    cascade: Option<bool>,
}

/// What a cancellation did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelAnswer {
    /// `cancelled` or `already_completed`.
    status: &'static str,
    execution_id: String,
    cancelled_executions: Vec<String>,
    message: String,
}

/// Whether an execution has ended, for workers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancellationCheck {
    execution_id: String,
    status: String,
    event_type: Option<String>,
    cancelled: bool,
    completed: bool,
    failed: bool,
}

/// How to end an execution by hand.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct FinalizeRequest {
    /// `FAILED` or `CANCELLED`.
    status: Option<String>,
    error: Option<String>,
    reason: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FinalizeAnswer {
    status: &'static str,
    execution_id: String,
    message: String,
}

/// Which executions to clean up.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct CleanupRequest {
    /// 5 when missing.
    #[schema(minimum = 0, maximum = 5256000)]
    older_than_minutes: Option<u32>,
    /// Only say which.
    dry_run: Option<bool>,
}

/// What was cleaned up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CleanupAnswer {
    cancelled_count: usize,
    execution_ids: Vec<String>,
    message: String,
}

/// The calls of an execution in time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    execution_id: String,
    steps: Vec<Span>,
}

/// One call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Span {
    step: String,
    iteration: Option<u64>,
    attempt: u64,
    status: String,
    start_time: String,
    end_time: Option<String>,
    duration_seconds: Option<f64>,
    worker_id: Option<String>,
    error: Option<String>,
}

/// Cancel an execution
#[utoipa::path(post, path = "/api/executions/{execution_id}/cancel", tag = "executions", request_body = Option<CancelRequest>,
    params(("execution_id" = String, Path)),
    responses((status = 200, body = CancelAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn cancel(
    State(server): State<Server>,
    Path(execution_id): Path<String>,
    OptionalBody(request): OptionalBody<CancelRequest>,
) -> Result<Json<CancelAnswer>, ApiError> {
    let row = row(&server.runs, &execution_id).await?;
    let reason = request
        .reason
        .unwrap_or_else(|| "cancelled by request".to_owned());
    let cancelled = server
        .runs
        .cancel(row.execution_id, &reason, request.cascade.unwrap_or(true))
        .await?;
    let own = cancelled.executions.contains(&row.execution_id);
    Ok(Json(CancelAnswer {
        status: if own {
            "cancelled"
        } else {
            "already_completed"
        },
        message: if own {
            format!(
                "execution {execution_id} is cancelled, {} in all",
                cancelled.executions.len()
            )
        } else {
            format!("execution {execution_id} had ended as {}", row.status)
        },
        cancelled_executions: cancelled.executions.iter().map(i64::to_string).collect(),
        execution_id,
    }))
}

/// Say whether an execution has ended
#[utoipa::path(get, path = "/api/executions/{execution_id}/cancellation-check", tag = "executions",
    params(("execution_id" = String, Path)),
    responses((status = 200, body = CancellationCheck), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn cancellation_check(
    State(server): State<Server>,
    Path(execution_id): Path<String>,
) -> Result<Json<CancellationCheck>, ApiError> {
    let row = row(&server.runs, &execution_id).await?;
    let event_type = match row.status.as_str() {
        "COMPLETED" => Some("playbook.completed"),
        "FAILED" => Some("playbook.failed"),
        "CANCELLED" => Some("execution.cancelled"),
        _ => None,
    };
    Ok(Json(CancellationCheck {
        execution_id,
        event_type: event_type.map(str::to_owned),
        cancelled: row.status == "CANCELLED",
        completed: row.status == "COMPLETED",
        failed: row.status == "FAILED",
        status: row.status,
    }))
}

/// End an execution that hangs
#[utoipa::path(post, path = "/api/executions/{execution_id}/finalize", tag = "executions", request_body = Option<FinalizeRequest>,
    params(("execution_id" = String, Path)),
    responses((status = 200, body = FinalizeAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn finalize(
    State(server): State<Server>,
    Path(execution_id): Path<String>,
    OptionalBody(request): OptionalBody<FinalizeRequest>,
) -> Result<Json<FinalizeAnswer>, ApiError> {
    let row = row(&server.runs, &execution_id).await?;
    let reason = request
        .error
        .or(request.reason)
        .unwrap_or_else(|| "finalized by request".to_owned());
    let ended = match request.status.as_deref().map(str::to_uppercase).as_deref() {
        None | Some("FAILED") => server.runs.mark_failed(row.execution_id, &reason).await,
        Some("CANCELLED") => server
            .runs
            .cancel(row.execution_id, &reason, true)
            .await
            .map(drop),
        Some(other) => {
            return Err(ApiError::invalid(format!(
                "status `{other}` is neither FAILED nor CANCELLED"
            )));
        }
    };
    let (status, message) = match ended {
        Ok(()) => ("finalized", format!("execution {execution_id} has ended")),
        Err(RunError::Ended(_)) => (
            "already_completed",
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

/// Cancel executions that have run for too long
#[utoipa::path(post, path = "/api/executions/cleanup", tag = "executions", request_body = Option<CleanupRequest>,
    responses((status = 200, body = CleanupAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn cleanup(
    State(server): State<Server>,
    OptionalBody(request): OptionalBody<CleanupRequest>,
) -> Result<Json<CleanupAnswer>, ApiError> {
    let minutes = i64::from(request.older_than_minutes.unwrap_or(5));
    let filter = ExecutionFilter {
        status: Some("RUNNING".to_owned()),
        until: Some(clock::now_ms() - minutes * 60_000),
        ..ExecutionFilter::default()
    };
    let (rows, _) = server.runs.store.executions(&filter, 10_000, 0).await?;
    let mut ids: Vec<i64> = rows.iter().map(|row| row.execution_id).collect();
    let dry_run = request.dry_run.unwrap_or(false);
    if !dry_run {
        let mut ended = Vec::new();
        for id in ids {
            // One that cannot even be read is marked, and stops nobody else's clean-up.
            let reason = format!("ran for more than {minutes} minutes");
            match server.runs.cancel(id, &reason, true).await {
                Ok(cancelled) => ended.extend(cancelled.executions),
                Err(RunError::NoPlaybook(_) | RunError::Invalid(_)) => {
                    server.runs.mark_failed(id, &reason).await?;
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

async fn all_events(server: &Server, execution_id: i64) -> Result<Vec<EventRow>, ApiError> {
    Ok(server
        .runs
        .store
        .events_after(execution_id, 0, MAX_EVENTS)
        .await?)
}

/// Get the calls of an execution in time
#[utoipa::path(get, path = "/api/executions/{execution_id}/timeline", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = Timeline), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn timeline(
    State(server): State<Server>,
    Path(execution_id): Path<String>,
) -> Result<Json<Timeline>, ApiError> {
    let row = row(&server.runs, &execution_id).await?;
    let mut spans: BTreeMap<String, (i64, Span)> = BTreeMap::new();
    for event in all_events(&server, row.execution_id).await? {
        let (Some(command), Some(step)) = (&event.node_id, &event.node_name) else {
            continue;
        };
        let context: Value = event
            .context
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        match event.event_type.as_str() {
            "command.claimed" => {
                spans.entry(command.clone()).or_insert_with(|| {
                    let span = Span {
                        step: step.clone(),
                        iteration: None,
                        attempt: 1,
                        status: "RUNNING".to_owned(),
                        start_time: clock::rfc3339(event.created_at),
                        end_time: None,
                        duration_seconds: None,
                        worker_id: context
                            .get("worker_id")
                            .and_then(Value::as_str)
                            .map(str::to_owned),
                        error: None,
                    };
                    (event.created_at, span)
                });
            }
            "call.done" | "call.error" | "sink.executed" | "sink.failed" => {
                if let Some((start, span)) = spans.get_mut(command) {
                    span.status.clone_from(&event.status);
                    span.end_time = Some(clock::rfc3339(event.created_at));
                    span.duration_seconds = Some((event.created_at - *start) as f64 / 1000.0);
                    span.iteration = context.get("iteration").and_then(Value::as_u64);
                    span.attempt = context.get("attempt").and_then(Value::as_u64).unwrap_or(1);
                    let error: Value = event
                        .error
                        .as_deref()
                        .and_then(|text| serde_json::from_str(text).ok())
                        .unwrap_or_default();
                    span.error = error
                        .get("message")
                        .and_then(Value::as_str)
                        .map(str::to_owned);
                }
            }
            _ => {}
        }
    }
    let mut steps: Vec<(i64, Span)> = spans.into_values().collect();
    steps.sort_by_key(|(start, _)| *start);
    if row.status != "RUNNING" {
        for (_, span) in &mut steps {
            if span.end_time.is_none() {
                "CANCELLED".clone_into(&mut span.status);
                span.end_time = row.end_time.map(clock::rfc3339);
            }
        }
    }
    Ok(Json(Timeline {
        execution_id,
        steps: steps.into_iter().map(|(_, span)| span).collect(),
    }))
}

/// Get the flow of an execution, and where its steps stand
#[utoipa::path(get, path = "/api/executions/{execution_id}/graph", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = ExecutionGraph), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn graph(
    State(server): State<Server>,
    Path(execution_id): Path<String>,
) -> Result<Json<ExecutionGraph>, ApiError> {
    let row = row(&server.runs, &execution_id).await?;
    let entry = server
        .runs
        .store
        .entry_by_id(row.catalog_id)
        .await?
        .ok_or_else(super::catalog::missing)?;
    let Graph { nodes, edges } = Graph::of(&*server.runs.playbook(&entry)?);
    let events = all_events(&server, row.execution_id).await?;
    let ended = (row.status != "RUNNING").then_some(row.status.as_str());
    Ok(Json(ExecutionGraph {
        nodes,
        edges,
        states: states(&events, ended),
    }))
}
