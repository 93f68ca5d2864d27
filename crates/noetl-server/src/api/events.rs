//! `/api/events`: the events that workers report, one by one and in batches.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Sse;
use axum::response::sse::Event as Message;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::stream::iter;
use noetl_api::AnswerStatus;
use noetl_api::event::{
    BatchAnswer, BatchRequest, BatchState, BatchStatus, EventAnswer, EventRequest,
};
use noetl_engine::execution::{Outcome, event_name};
use serde_json::Value;

use super::extract::{Body, Path, parse_id};
use super::state::AppState;
use super::workers::check_worker_name;
use crate::error::ApiError;
use crate::executions::RunError;

/// The routes of events, with one of older workers. The stream is not in the OpenAPI document.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/events", post(event))
        .route("/api/events/batch", post(batch))
        .route("/api/events/batch/{request_id}/status", get(batch_status))
        .route("/api/events/batch/{request_id}/stream", get(batch_stream))
        .route("/api/v2/events", post(event))
}

/// Report the outcome of a command
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/events", tag = "workers", request_body = EventRequest,
    responses((status = 200, body = EventAnswer), ApiError)))]
pub(crate) async fn event(
    State(server): State<AppState>,
    Body(request): Body<EventRequest>,
) -> Result<Json<EventAnswer>, ApiError> {
    Ok(Json(take(&server, request).await?))
}

/// Report several outcomes of one execution; all are in the log when the answer comes
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/events/batch", tag = "workers", request_body = BatchRequest,
    responses((status = 202, body = BatchAnswer), ApiError)))]
pub(crate) async fn batch(
    State(server): State<AppState>,
    Body(request): Body<BatchRequest>,
) -> Result<(StatusCode, Json<BatchAnswer>), ApiError> {
    let execution_id = parse_id(&request.execution_id, "execution")?;
    exists(&server, execution_id).await?;
    let mut event_ids = Vec::new();
    let mut commands_generated = 0;
    let mut fresh = false;
    for event in request.events {
        let one = EventRequest {
            execution_id: request.execution_id.clone(),
            step: event.step,
            name: event.name,
            payload: event.payload,
            meta: event.meta,
            worker_id: request.worker_id.clone(),
        };
        let answer = take(&server, one).await?;
        commands_generated += answer.commands_generated;
        if let Some(event_id) = answer.event_id {
            fresh |= !answer.duplicate;
            event_ids.push(event_id);
        }
    }
    let (queue_depth, _) = server.store.queue_depth(server.store.clock().now()).await?;
    let last = event_ids.last().map_or("0", String::as_str);
    let answer = BatchAnswer {
        status: BatchStatus::Completed,
        request_id: format!("{execution_id}-{last}"),
        duplicate: !event_ids.is_empty() && !fresh,
        event_ids,
        commands_generated,
        queue_depth,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Get the status of a batch
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/events/batch/{request_id}/status", tag = "workers", params(("request_id" = String, Path)),
    responses((status = 200, body = BatchState), ApiError)))]
pub(crate) async fn batch_status(
    State(server): State<AppState>,
    Path(request_id): Path<String>,
) -> Result<Json<BatchState>, ApiError> {
    batch_state(&server, request_id).await.map(Json)
}

/// Follow a batch. There is one message, since a batch is completed when it is answered
pub(crate) async fn batch_stream(
    State(server): State<AppState>,
    Path(request_id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, ApiError> {
    let state = batch_state(&server, request_id).await?;
    let message = Message::default().event("status").json_data(state);
    Ok(Sse::new(iter(message.ok().map(Ok))))
}

/// Returns the state of a batch. Its id is its execution and its last event in the log, so that every server on
/// the same store knows it, after a restart as well.
async fn batch_state(server: &AppState, request_id: String) -> Result<BatchState, ApiError> {
    let unknown = || ApiError::not_found(format!("there is no batch {request_id}"));
    let (execution, event) = request_id.split_once('-').ok_or_else(unknown)?;
    let execution_id: i64 = execution.parse().map_err(|_| unknown())?;
    let event_id: i64 = event.parse().map_err(|_| unknown())?;
    exists(server, execution_id).await.map_err(|_| unknown())?;
    let store = &server.store;
    if event_id != 0 && !store.has_event(execution_id, event_id).await? {
        return Err(unknown());
    }
    Ok(BatchState {
        execution_id: execution_id.to_string(),
        request_id,
        status: BatchStatus::Completed,
    })
}

async fn exists(server: &AppState, execution_id: i64) -> Result<(), ApiError> {
    let row = server.store.execution(execution_id).await?;
    row.map(drop)
        .ok_or_else(|| RunError::NoExecution(execution_id).into())
}

/// Takes one event.
async fn take(server: &AppState, request: EventRequest) -> Result<EventAnswer, ApiError> {
    let execution_id = parse_id(&request.execution_id, "execution")?;
    if !matches!(
        request.name.as_str(),
        event_name::CALL_DONE | event_name::CALL_ERROR
    ) {
        return note(server, execution_id, &request).await;
    }
    let meta = request.meta.unwrap_or_default();
    let command_id = meta.get("command_id").and_then(Value::as_str);
    let command_id = command_id.ok_or_else(|| {
        ApiError::invalid(match &request.step {
            Some(step) => format!("meta.command_id is missing for step {step}"),
            None => "meta.command_id is missing".to_owned(),
        })
    })?;
    let worker_id = request
        .worker_id
        .ok_or_else(|| ApiError::invalid("worker_id is missing"))?;
    let outcome: Outcome =
        serde_json::from_value(Value::Object(request.payload)).map_err(|error| {
            // A result under another name would complete the step without one.
            let detail = format!("payload is not an outcome: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, detail)
        })?;
    if (request.name == event_name::CALL_ERROR) != outcome.error.is_some() {
        return Err(ApiError::invalid(format!(
            "`{}` and the payload's `error` contradict each other",
            request.name
        )));
    }
    let done = server
        .executions
        .complete(execution_id, command_id, &worker_id, &outcome)
        .await?;
    Ok(EventAnswer {
        status: AnswerStatus::Ok,
        event_id: Some(done.event_id.to_string()),
        commands_generated: done.commands,
        duplicate: done.duplicate,
    })
}

/// Takes an event that is not an outcome. Older workers claim commands by an event.
async fn note(
    server: &AppState,
    execution_id: i64,
    request: &EventRequest,
) -> Result<EventAnswer, ApiError> {
    exists(server, execution_id).await?;
    let given = |key: &str| {
        let meta = request.meta.as_ref().and_then(|meta| meta.get(key));
        meta.or_else(|| request.payload.get(key))?.as_str()
    };
    let claims = request.name == event_name::COMMAND_CLAIMED;
    let worker_id = request.worker_id.as_deref().or_else(|| given("worker_id"));
    match given("command_id").zip(worker_id) {
        Some((command_id, worker_id)) => {
            check_worker_name(worker_id)?;
            server
                .executions
                .note(execution_id, command_id, worker_id, claims)
                .await?;
        }
        None if claims => {
            return Err(ApiError::invalid(
                "command.claimed needs worker_id and meta.command_id",
            ));
        }
        None => {}
    }
    Ok(EventAnswer {
        status: AnswerStatus::Ok,
        event_id: None,
        commands_generated: 0,
        duplicate: false,
    })
}
