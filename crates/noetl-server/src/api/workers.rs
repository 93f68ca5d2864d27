//! `/api/worker/pool`: workers on other machines, and whether they live.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Server;
use super::error::{ApiError, Body, ErrorBody};
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
    labels: Map<String, Value>,
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

/// A name that a worker may have.
pub(super) fn named(name: &str) -> Result<(), ApiError> {
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

/// How much work waits, and how much is being done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolState {
    status: &'static str,
    /// Commands that wait for a worker.
    queue_depth: i64,
    /// Commands that a worker holds.
    running: i64,
}

/// Say how much work waits
#[utoipa::path(get, path = "/api/pool/status", tag = "workers",
    responses((status = 200, body = PoolState), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn pool_state(State(server): State<Server>) -> Result<Json<PoolState>, ApiError> {
    let (queue_depth, running) = server.runs.store.queue_depth(clock::now_ms()).await?;
    Ok(Json(PoolState {
        status: "ok",
        queue_depth,
        running,
    }))
}
