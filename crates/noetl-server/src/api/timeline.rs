//! The timeline of an execution, and its graph with the states of steps.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use noetl_api::StepStatus;
use noetl_api::graph::{ExecutionGraph, Graph};
use noetl_api::timeline::{Timeline, TimelineStep};
use noetl_engine::execution::event_name;
use serde_json::Value;

use super::extract::Path;
use super::graph::{States, graph_of};
use super::rows;
use super::rows::find_execution;
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::store::EventRow;

/// The routes of timelines and graphs.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/executions/{execution_id}/timeline", get(timeline))
        .route("/api/executions/{execution_id}/graph", get(execution_graph))
}

/// Passes every event of an execution to `take`, oldest first. They are read in pages.
async fn each_event(
    server: &AppState,
    execution_id: i64,
    mut take: impl FnMut(&EventRow),
) -> Result<(), ApiError> {
    let mut after = 0;
    loop {
        let page = server.store.event_heads(execution_id, after).await?;
        page.iter().for_each(&mut take);
        match page.last() {
            Some(last) => after = last.event_id,
            None => return Ok(()),
        }
    }
}

/// Get the timeline of an execution
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/timeline", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = Timeline), ApiError)))]
pub(crate) async fn timeline(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<Timeline>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    // By command: when it was claimed, the event of that, and the call.
    let mut spans: BTreeMap<String, ((i64, i64), TimelineStep)> = BTreeMap::new();
    each_event(&server, row.execution_id, |event| {
        let (Some(command), Some(step)) = (&event.node_id, &event.node_name) else {
            return;
        };
        let context = rows::json(event.context.as_deref());
        match event.event_type.as_str() {
            event_name::COMMAND_CLAIMED => {
                spans.entry(command.clone()).or_insert_with(|| {
                    let span = TimelineStep {
                        step: step.clone(),
                        iteration: None,
                        attempt: 1,
                        status: StepStatus::Running,
                        start_time: clock::rfc3339(event.created_at),
                        end_time: None,
                        duration_seconds: None,
                        worker_id: context
                            .get("worker_id")
                            .and_then(Value::as_str)
                            .map(str::to_owned),
                        error: None,
                    };
                    ((event.created_at, event.event_id), span)
                });
            }
            event_name::CALL_DONE
            | event_name::CALL_ERROR
            | event_name::SINK_EXECUTED
            | event_name::SINK_FAILED => {
                if let Some(((start, _), span)) = spans.get_mut(command) {
                    span.status = event.status.into();
                    span.end_time = Some(clock::rfc3339(event.created_at));
                    span.duration_seconds = Some(clock::seconds_between(*start, event.created_at));
                    span.iteration = context.get("iteration").and_then(Value::as_u64);
                    span.attempt = context.get("attempt").and_then(Value::as_u64).unwrap_or(1);
                    span.error = rows::failure(event).map(|failure| failure.message);
                }
            }
            _ => {}
        }
    })
    .await?;
    let mut steps: Vec<_> = spans.into_values().collect();
    // Within a millisecond, in the order of the log.
    steps.sort_by_key(|(start, _)| *start);
    if row.status.is_final() {
        for (_, span) in &mut steps {
            if span.end_time.is_none() {
                span.status = StepStatus::Cancelled;
                span.end_time = row.end_time.map(clock::rfc3339);
            }
        }
    }
    Ok(Json(Timeline {
        execution_id,
        steps: steps.into_iter().map(|(_, span)| span).collect(),
    }))
}

/// Get the graph of an execution, with the states of its steps
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/graph", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = ExecutionGraph), ApiError)))]
pub(crate) async fn execution_graph(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<ExecutionGraph>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let entry = server
        .store
        .entry_by_id(row.catalog_id)
        .await?
        .ok_or_else(super::catalog::missing)?;
    let Graph { nodes, edges } = graph_of(&*server.executions.playbook(&entry)?);
    let mut states = States::default();
    each_event(&server, row.execution_id, |event| states.take(event)).await?;
    let ended = row.status.is_final().then_some(row.status);
    Ok(Json(ExecutionGraph {
        nodes,
        edges,
        states: states.finish(ended),
    }))
}
