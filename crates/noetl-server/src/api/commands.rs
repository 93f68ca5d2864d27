//! `/api/commands` and `/api/events`: work out, outcomes in.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use noetl_engine::execution::{Command, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Server;
use super::error::{ApiError, Body, ErrorBody, Path, id};
use super::names::Id;
use super::workers::named;
use crate::runs::{LEASE_MS, RunError};

/// Who asks for work.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ClaimRequest {
    #[schema(min_length = 1, max_length = 200)]
    worker_id: String,
    /// At the most 100; 1 when missing.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// How long to wait for work, at the most 30.
    #[schema(minimum = 0, maximum = 30)]
    wait_seconds: Option<u32>,
}

/// Commands that a worker now holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Claims {
    commands: Vec<Map<String, Value>>,
    /// How long they are held without a sign of life.
    lease_seconds: i64,
}

/// A command, as older workers know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandItem {
    status: &'static str,
    event_id: String,
    execution_id: String,
    node_id: String,
    node_name: String,
    /// The kind of its first tool.
    action: String,
    /// What a worker runs.
    context: Map<String, Value>,
    meta: Map<String, Value>,
}

/// What happened to a command.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EventRequest {
    #[schema(value_type = String)]
    execution_id: Id,
    step: Option<String>,
    /// `call.done` or `call.error`, or `command.claimed`; other names are taken and change nothing.
    #[serde(alias = "event_type")]
    name: String,
    /// The outcome.
    #[serde(default)]
    payload: Map<String, Value>,
    #[serde(default)]
    meta: Option<Map<String, Value>>,
    worker_id: Option<String>,
}

/// An event that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventAnswer {
    status: &'static str,
    event_id: Option<String>,
    /// Whether it was kept before.
    duplicate: bool,
}

fn as_map(command: &Command) -> Map<String, Value> {
    match serde_json::to_value(command) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Ask for work, and wait a while for it
#[utoipa::path(post, path = "/api/commands/claim", tag = "workers", request_body = ClaimRequest,
    responses((status = 200, body = Claims), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn claim(
    State(server): State<Server>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<Claims>, ApiError> {
    named(&request.worker_id)?;
    let limit = request.limit.unwrap_or(1) as usize;
    let wait = request.wait_seconds.unwrap_or(0);
    if !(1..=100).contains(&limit) || wait > 30 {
        return Err(ApiError::invalid(
            "limit is from 1 to 100, and wait_seconds from 0 to 30",
        ));
    }
    let wait = Duration::from_secs(u64::from(wait));
    let commands = server
        .runs
        .claim_some(&request.worker_id, limit, wait)
        .await?;
    Ok(Json(Claims {
        commands: commands.iter().map(as_map).collect(),
        lease_seconds: LEASE_MS / 1000,
    }))
}

/// Who claims a command.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Claimant {
    #[schema(min_length = 1, max_length = 200)]
    worker_id: String,
}

fn item(event_id: String, status: &'static str, command: &Command) -> CommandItem {
    let mut meta = Map::new();
    meta.insert("command_id".to_owned(), command.id.clone().into());
    meta.insert("attempt".to_owned(), command.attempt.into());
    CommandItem {
        status,
        event_id,
        execution_id: command.execution_id.clone(),
        node_id: command.id.clone(),
        node_name: command.step.clone(),
        action: command
            .tasks
            .first()
            .map_or("noop", |task| task.kind.name())
            .to_owned(),
        context: as_map(command),
        meta,
    }
}

/// Look at a command
#[utoipa::path(get, path = "/api/commands/{event_id}", tag = "workers", params(("event_id" = String, Path)),
    responses((status = 200, body = CommandItem), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn command(
    State(server): State<Server>,
    Path(event_id): Path<String>,
) -> Result<Json<CommandItem>, ApiError> {
    let missing = || ApiError::not_found(format!("there is no command for event {event_id}"));
    let row = server
        .runs
        .store
        .command_by_event(id(&event_id, "command")?)
        .await?
        .ok_or_else(missing)?;
    let command = server
        .runs
        .look(row.execution_id, |machine| {
            machine.command(&row.command_id).cloned()
        })
        .await?;
    let status = if row.worker_id.is_some() {
        "claimed"
    } else {
        "pending"
    };
    Ok(Json(item(
        event_id.clone(),
        status,
        &command.ok_or_else(missing)?,
    )))
}

/// Claim one command
#[utoipa::path(post, path = "/api/commands/{event_id}/claim", tag = "workers", request_body = Claimant,
    params(("event_id" = String, Path)),
    responses((status = 200, body = CommandItem), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn claim_one(
    State(server): State<Server>,
    Path(event_id): Path<String>,
    Body(request): Body<Claimant>,
) -> Result<Json<CommandItem>, ApiError> {
    named(&request.worker_id)?;
    let row = server
        .runs
        .store
        .command_by_event(id(&event_id, "command")?)
        .await?;
    let row = row
        .ok_or_else(|| ApiError::not_found(format!("there is no command for event {event_id}")))?;
    let command = server
        .runs
        .claim(row.execution_id, &row.command_id, &request.worker_id)
        .await?;
    Ok(Json(item(event_id, "claimed", &command)))
}

/// Report the outcome of a command
#[utoipa::path(post, path = "/api/events", tag = "workers", request_body = EventRequest,
    responses((status = 200, body = EventAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn event(
    State(server): State<Server>,
    Body(request): Body<EventRequest>,
) -> Result<Json<EventAnswer>, ApiError> {
    Ok(Json(take(&server, request).await?))
}

/// Several events of one execution.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BatchRequest {
    #[schema(value_type = String)]
    execution_id: Id,
    events: Vec<BatchEvent>,
    worker_id: Option<String>,
}

/// One of them.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BatchEvent {
    step: Option<String>,
    #[serde(alias = "event_type")]
    name: String,
    #[serde(default)]
    payload: Map<String, Value>,
    #[serde(default)]
    meta: Option<Map<String, Value>>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    status: &'static str,
    event_ids: Vec<String>,
    /// Whether all of them were kept before.
    duplicate: bool,
}

/// Report several outcomes at once; each is kept when the answer comes
#[utoipa::path(post, path = "/api/events/batch", tag = "workers", request_body = BatchRequest,
    responses((status = 200, body = BatchAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn batch(
    State(server): State<Server>,
    Body(request): Body<BatchRequest>,
) -> Result<Json<BatchAnswer>, ApiError> {
    let mut event_ids = Vec::new();
    let mut duplicate = !request.events.is_empty();
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
        duplicate &= answer.duplicate;
        event_ids.extend(answer.event_id);
    }
    Ok(Json(BatchAnswer {
        status: "completed",
        event_ids,
        duplicate,
    }))
}

/// Keeps one event.
async fn take(server: &Server, request: EventRequest) -> Result<EventAnswer, ApiError> {
    let execution_id = request.execution_id.parse("execution")?;
    if !matches!(request.name.as_str(), "call.done" | "call.error") {
        return note(server, execution_id, &request).await;
    }
    let meta = request.meta.unwrap_or_default();
    let command_id = meta.get("command_id").and_then(Value::as_str);
    let command_id = command_id.ok_or_else(|| {
        let step = request.step.as_deref().unwrap_or("that is not named");
        ApiError::invalid(format!("meta.command_id is missing for step {step}"))
    })?;
    let worker_id = request
        .worker_id
        .ok_or_else(|| ApiError::invalid("worker_id is missing"))?;
    let outcome: Outcome = serde_json::from_value(Value::Object(request.payload))
        .map_err(|error| ApiError::invalid(format!("payload is no outcome: {error}")))?;
    if (request.name == "call.error") != outcome.error.is_some() {
        return Err(ApiError::invalid(format!(
            "`{}` and the payload's `error` contradict each other",
            request.name
        )));
    }
    let (event_id, duplicate) = server
        .runs
        .complete(execution_id, command_id, &worker_id, &outcome)
        .await?;
    Ok(EventAnswer {
        status: "ok",
        event_id: Some(event_id.to_string()),
        duplicate,
    })
}

/// Older workers claim by an event, and report what the server notes itself.
async fn note(
    server: &Server,
    execution_id: i64,
    request: &EventRequest,
) -> Result<EventAnswer, ApiError> {
    if server.runs.store.execution(execution_id).await?.is_none() {
        return Err(RunError::NoExecution(execution_id).into());
    }
    let given = |key: &str| {
        let meta = request.meta.as_ref().and_then(|meta| meta.get(key));
        meta.or_else(|| request.payload.get(key))?.as_str()
    };
    let claims = request.name == "command.claimed";
    let worker_id = request.worker_id.as_deref().or_else(|| given("worker_id"));
    match given("command_id").zip(worker_id) {
        Some((command_id, worker_id)) => {
            named(worker_id)?;
            let runs = &server.runs;
            runs.note(execution_id, command_id, worker_id, claims)
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
        status: "ok",
        event_id: None,
        duplicate: false,
    })
}
