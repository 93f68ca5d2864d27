//! `/api/worker`, `/api/commands` and `/api/events`: how workers on other machines take part.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use noetl_engine::execution::{Command, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json_};
use utoipa::ToSchema;

use super::Server;
use super::catalog::Id;
use super::error::{ApiError, Body, ErrorBody, Path, id};
use crate::clock;
use crate::runs::LEASE_MS;
use crate::store::RuntimeRow;

/// What workers are called in the store.
const POOL: &str = "worker_pool";
/// A worker silent for so long is offline, in milliseconds.
const OFFLINE_MS: i64 = 60_000;

/// A worker that takes part.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PoolRequest {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    runtime: Option<String>,
    #[schema(minimum = 1, maximum = 100000)]
    capacity: Option<u32>,
    labels: Option<BTreeMap<String, String>>,
    pid: Option<u32>,
    hostname: Option<String>,
}

/// A worker's name, and what it holds.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PoolName {
    name: String,
    /// Commands whose leases it renews.
    commands: Option<Vec<String>>,
}

/// A worker that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolAnswer {
    status: &'static str,
    name: String,
    runtime_id: String,
    kind: &'static str,
    runtime: String,
}

/// The answer to a sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeartbeatAnswer {
    status: &'static str,
    name: String,
    /// Commands that the worker must stop: cancelled, or taken over by another.
    cancelled: Vec<String>,
}

/// A worker in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolItem {
    name: String,
    runtime_id: String,
    runtime: String,
    /// `ready` or `offline`.
    status: &'static str,
    capacity: i64,
    labels: Map<String, Json_>,
    pid: Option<i64>,
    hostname: Option<String>,
    started_at: String,
    heartbeat: String,
    /// Commands that it holds.
    running: i64,
}

/// Workers by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolList {
    items: Vec<PoolItem>,
    count: usize,
    runtime: &'static str,
    status: &'static str,
}

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
    commands: Vec<Map<String, Json_>>,
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
    context: Map<String, Json_>,
    meta: Map<String, Json_>,
}

/// What happened to a command.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EventRequest {
    #[schema(value_type = String)]
    execution_id: Id,
    step: Option<String>,
    /// `call.done` or `call.error`; other names are taken and change nothing.
    #[serde(alias = "event_type")]
    name: String,
    /// The outcome.
    #[serde(default)]
    payload: Map<String, Json_>,
    #[serde(default)]
    meta: Option<Map<String, Json_>>,
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

fn named(name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() || name.len() > 200 {
        return Err(ApiError::invalid(
            "a worker's name has from 1 to 200 characters",
        ));
    }
    Ok(())
}

/// Take part as a worker
#[utoipa::path(post, path = "/api/worker/pool/register", tag = "workers", request_body = PoolRequest,
    responses((status = 200, body = PoolAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn register(
    State(server): State<Server>,
    Body(request): Body<PoolRequest>,
) -> Result<Json<PoolAnswer>, ApiError> {
    named(&request.name)?;
    let now = clock::now_ms();
    let runtime = request.runtime.unwrap_or_else(|| "rust".to_owned());
    let row = RuntimeRow {
        runtime_id: server.runs.ids.next(),
        name: request.name.clone(),
        kind: POOL.to_owned(),
        runtime: runtime.clone(),
        capacity: i64::from(request.capacity.unwrap_or(1)),
        labels: serde_json::to_string(&request.labels.unwrap_or_default()).unwrap_or_default(),
        pid: request.pid.map(i64::from),
        hostname: request.hostname,
        started_at: now,
        heartbeat: now,
    };
    let runtime_id = server.runs.store.put_runtime(&row).await?.to_string();
    Ok(Json(PoolAnswer {
        status: "ok",
        name: request.name,
        runtime_id,
        kind: POOL,
        runtime,
    }))
}

/// Take part no longer
#[utoipa::path(post, path = "/api/worker/pool/deregister", tag = "workers", request_body = PoolName,
    responses((status = 200, body = HeartbeatAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn deregister(
    State(server): State<Server>,
    Body(request): Body<PoolName>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    if !server
        .runs
        .store
        .delete_runtime(POOL, &request.name)
        .await?
    {
        return Err(ApiError::not_found(format!(
            "there is no worker `{}`",
            request.name
        )));
    }
    server.runs.give_back(&request.name).await?;
    Ok(Json(HeartbeatAnswer {
        status: "ok",
        name: request.name,
        cancelled: Vec::new(),
    }))
}

/// Give a sign of life, and renew leases
#[utoipa::path(post, path = "/api/worker/pool/heartbeat", tag = "workers", request_body = PoolName,
    responses((status = 200, body = HeartbeatAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn heartbeat(
    State(server): State<Server>,
    Body(request): Body<PoolName>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    let now = clock::now_ms();
    if !server
        .runs
        .store
        .heartbeat(POOL, &request.name, now)
        .await?
    {
        return Err(
            ApiError::not_found(format!("there is no worker `{}`", request.name))
                .help("register it again"),
        );
    }
    let held = request.commands.unwrap_or_default();
    let cancelled = server
        .runs
        .store
        .renew(&request.name, &held, now + LEASE_MS)
        .await?;
    Ok(Json(HeartbeatAnswer {
        status: "ok",
        name: request.name,
        cancelled,
    }))
}

/// List workers
#[utoipa::path(get, path = "/api/worker/pools", tag = "workers",
    responses((status = 200, body = PoolList), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn pools(State(server): State<Server>) -> Result<Json<PoolList>, ApiError> {
    let now = clock::now_ms();
    let rows = server.runs.store.runtimes(POOL, now).await?;
    let items: Vec<_> = rows
        .into_iter()
        .map(|(row, running)| PoolItem {
            status: if now - row.heartbeat > OFFLINE_MS {
                "offline"
            } else {
                "ready"
            },
            name: row.name,
            runtime_id: row.runtime_id.to_string(),
            runtime: row.runtime,
            capacity: row.capacity,
            labels: serde_json::from_str(&row.labels).unwrap_or_default(),
            pid: row.pid,
            hostname: row.hostname,
            started_at: clock::rfc3339(row.started_at),
            heartbeat: clock::rfc3339(row.heartbeat),
            running,
        })
        .collect();
    Ok(Json(PoolList {
        count: items.len(),
        items,
        runtime: "all",
        status: "all",
    }))
}

fn as_map(command: &Command) -> Map<String, Json_> {
    match serde_json::to_value(command) {
        Ok(Json_::Object(map)) => map,
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
    if !matches!(request.name.as_str(), "call.done" | "call.error") {
        // Older workers report what the server notes itself.
        return Ok(Json(EventAnswer {
            status: "ok",
            event_id: None,
            duplicate: false,
        }));
    }
    let execution_id = request.execution_id.parse("execution")?;
    let meta = request.meta.unwrap_or_default();
    let command_id = meta.get("command_id").and_then(Json_::as_str);
    let command_id = command_id.ok_or_else(|| {
        ApiError::invalid(format!(
            "meta.command_id is missing for step {:?}",
            request.step
        ))
    })?;
    let worker_id = request
        .worker_id
        .ok_or_else(|| ApiError::invalid("worker_id is missing"))?;
    let outcome: Outcome = serde_json::from_value(Json_::Object(request.payload))
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
    Ok(Json(EventAnswer {
        status: "ok",
        event_id: Some(event_id.to_string()),
        duplicate,
    }))
}

/// A sub-playbook that a worker's command calls.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChildRequest {
    #[schema(value_type = String)]
    execution_id: Id,
    path: String,
    version: Option<i64>,
    #[serde(default)]
    payload: Map<String, Json_>,
    return_step: Option<String>,
    /// The playbook that calls, for paths beside it.
    caller: String,
    /// Names the call for ever.
    #[schema(min_length = 1)]
    key: String,
}

/// How a sub-playbook ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChildAnswer {
    /// RUNNING: ask again.
    status: String,
    result: Json_,
    /// The failure of the call.
    error: Option<Map<String, Json_>>,
}

/// Run a sub-playbook for a worker, and wait a while for its end
#[utoipa::path(post, path = "/api/worker/playbook", tag = "workers", request_body = ChildRequest,
    responses((status = 200, body = ChildAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn playbook(
    State(server): State<Server>,
    Body(request): Body<ChildRequest>,
) -> Result<Json<ChildAnswer>, ApiError> {
    let parent = request.execution_id.parse("execution")?;
    if request.key.is_empty() {
        return Err(ApiError::invalid("key is missing"));
    }
    let call = noetl_engine::SubPlaybook {
        path: request.path,
        version: request.version,
        payload: request.payload,
        return_step: request.return_step,
        caller: request.caller,
        key: request.key,
    };
    let ended = async {
        let child = server.runs.start_child(parent, call.clone()).await?;
        match tokio::time::timeout(Duration::from_secs(25), server.runs.wait(child)).await {
            Err(_) => Ok(None),
            Ok(status) => server
                .runs
                .child_result(child, call.return_step.as_deref(), status)
                .await
                .map(Some),
        }
    };
    Ok(Json(match ended.await {
        Ok(None) => ChildAnswer {
            status: "RUNNING".to_owned(),
            result: Json_::Null,
            error: None,
        },
        Ok(Some(result)) => ChildAnswer {
            status: "COMPLETED".to_owned(),
            result,
            error: None,
        },
        Err(failure) => ChildAnswer {
            status: "FAILED".to_owned(),
            result: Json_::Null,
            error: serde_json::to_value(failure)
                .ok()
                .and_then(|value| value.as_object().cloned()),
        },
    }))
}
