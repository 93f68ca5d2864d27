//! `/api/worker/pool`: workers on other machines, and whether they are online.

use axum::extract::State;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use noetl_api::worker::{
    HeartbeatAnswer, ListScope, QueueState, RuntimeKind, Worker, WorkerHeartbeat, WorkerList,
    WorkerRegistered, WorkerRegistration,
};
use noetl_api::{AnswerStatus, WorkerStatus};

use super::extract::{Body, check_name};
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::store::{LEASE_MS, RuntimeRow};

/// The routes of workers, with those of older workers.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/worker/pool/register", post(register_worker))
        .route("/api/worker/pool/deregister", post(deregister))
        .route("/api/worker/pool/deregister", delete(deregister))
        .route("/api/worker/pool/heartbeat", post(heartbeat))
        .route("/api/worker/pools", get(pools))
        .route("/api/pool/status", get(pool_state))
        .route("/api/runtime/register", post(register_worker))
        .route(
            "/api/runtime/deregister",
            post(deregister).delete(deregister),
        )
}

/// The kind of workers in the store.
const POOL: RuntimeKind = RuntimeKind::WorkerPool;
/// A worker without a heartbeat for this time is offline, in milliseconds.
pub(super) const OFFLINE_MS: i64 = 60_000;

/// Fails when a worker cannot have this name.
pub(super) fn check_worker_name(name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() || name.len() > 200 {
        return Err(ApiError::invalid(
            "a worker's name has from 1 to 200 characters",
        ));
    }
    check_name("worker's name", name)
}

/// Register a worker
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/worker/pool/register", tag = "workers", request_body = WorkerRegistration,
    responses((status = 200, body = WorkerRegistered), ApiError)))]
pub(crate) async fn register_worker(
    State(server): State<AppState>,
    Body(request): Body<WorkerRegistration>,
) -> Result<Json<WorkerRegistered>, ApiError> {
    check_worker_name(&request.name)?;
    let now = server.store.clock().now();
    let runtime = request.runtime.unwrap_or_else(|| "rust".to_owned());
    let row = RuntimeRow {
        runtime_id: server.ids.next(),
        name: request.name.clone(),
        kind: POOL.to_string(),
        runtime: runtime.clone(),
        capacity: i64::from(request.capacity.unwrap_or(1)),
        labels: serde_json::to_string(&request.labels.unwrap_or_default()).unwrap_or_default(),
        pid: request.pid.map(i64::from),
        hostname: request.hostname,
        started_at: now,
        heartbeat: now,
    };
    let runtime_id = server.store.put_runtime(&row).await?.to_string();
    Ok(Json(WorkerRegistered {
        status: AnswerStatus::Ok,
        name: request.name,
        runtime_id,
        kind: POOL,
        runtime,
    }))
}

/// Remove a worker, and give back its commands
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/worker/pool/deregister", tag = "workers", request_body = WorkerHeartbeat,
    responses((status = 200, body = HeartbeatAnswer), ApiError)))]
pub(crate) async fn deregister(
    State(server): State<AppState>,
    Body(request): Body<WorkerHeartbeat>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    if !server
        .store
        .delete_runtime(POOL.as_str(), &request.name)
        .await?
    {
        return Err(ApiError::not_found(format!(
            "there is no worker `{}`",
            request.name
        )));
    }
    server.executions.release(&request.name).await?;
    Ok(Json(HeartbeatAnswer {
        status: AnswerStatus::Ok,
        name: request.name,
        cancelled: Vec::new(),
    }))
}

/// Send a worker's heartbeat, and renew its leases
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/worker/pool/heartbeat", tag = "workers", request_body = WorkerHeartbeat,
    responses((status = 200, body = HeartbeatAnswer), ApiError)))]
pub(crate) async fn heartbeat(
    State(server): State<AppState>,
    Body(request): Body<WorkerHeartbeat>,
) -> Result<Json<HeartbeatAnswer>, ApiError> {
    let now = server.store.clock().now();
    if !server
        .store
        .heartbeat(POOL.as_str(), &request.name, now)
        .await?
    {
        return Err(
            ApiError::not_found(format!("there is no worker `{}`", request.name))
                .help("register it again"),
        );
    }
    let held = request.commands.unwrap_or_default();
    let cancelled = server
        .store
        .renew(&request.name, &held, now + LEASE_MS)
        .await?;
    Ok(Json(HeartbeatAnswer {
        status: AnswerStatus::Ok,
        name: request.name,
        cancelled,
    }))
}

/// List workers
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/worker/pools", tag = "workers",
    responses((status = 200, body = WorkerList), ApiError)))]
pub(crate) async fn pools(State(server): State<AppState>) -> Result<Json<WorkerList>, ApiError> {
    let now = server.store.clock().now();
    let rows = server.store.runtimes(POOL.as_str(), now).await?;
    let items: Vec<_> = rows
        .into_iter()
        .map(|(row, running)| Worker {
            status: if now.saturating_sub(row.heartbeat) > OFFLINE_MS {
                WorkerStatus::Offline
            } else {
                WorkerStatus::Ready
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
    Ok(Json(WorkerList {
        count: items.len(),
        items,
        runtime: ListScope::All,
        status: ListScope::All,
    }))
}

/// Get how many commands wait and run
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/pool/status", tag = "workers",
    responses((status = 200, body = QueueState), ApiError)))]
pub(crate) async fn pool_state(
    State(server): State<AppState>,
) -> Result<Json<QueueState>, ApiError> {
    let (queue_depth, running) = server.store.queue_depth(server.store.clock().now()).await?;
    Ok(Json(QueueState {
        status: AnswerStatus::Ok,
        queue_depth,
        running,
    }))
}
