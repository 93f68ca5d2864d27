//! `/api/commands`: the commands that workers claim.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use noetl_api::CommandStatus;
use noetl_api::worker::{ClaimRequest, Claims, CommandClaim, CommandItem};
use noetl_engine::execution::Command;
use serde_json::{Map, Value};

use super::extract::{Body, Path, parse_id};
use super::state::AppState;
use super::workers::check_worker_name;
use crate::error::ApiError;
use crate::store::{Holder, LEASE_MS};

/// The routes of commands.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/commands/claim", post(claim))
        .route("/api/commands/{event_id}", get(command))
        .route("/api/commands/{event_id}/claim", post(claim_one))
}

fn as_map(command: &Command) -> Map<String, Value> {
    match serde_json::to_value(command) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Claim commands, and wait a while for the first one
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/commands/claim", tag = "workers", request_body = ClaimRequest,
    responses((status = 200, body = Claims), ApiError)))]
pub(crate) async fn claim(
    State(server): State<AppState>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<Claims>, ApiError> {
    check_worker_name(&request.worker_id)?;
    let limit = request.limit.unwrap_or(1) as usize;
    let wait = request.wait_seconds.unwrap_or(0);
    if !(1..=100).contains(&limit) || wait > 30 {
        return Err(ApiError::invalid(
            "limit is from 1 to 100, and wait_seconds from 0 to 30",
        ));
    }
    let wait = Duration::from_secs(u64::from(wait));
    let commands = server
        .executions
        .claim_some(&request.worker_id, limit, wait)
        .await?;
    Ok(Json(Claims {
        commands: commands.iter().map(as_map).collect(),
        lease_seconds: LEASE_MS / 1000,
    }))
}

fn item(event_id: String, status: CommandStatus, command: &Command) -> CommandItem {
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

/// Get a command
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/commands/{event_id}", tag = "workers", params(("event_id" = String, Path)),
    responses((status = 200, body = CommandItem), ApiError)))]
pub(crate) async fn command(
    State(server): State<AppState>,
    Path(event_id): Path<String>,
) -> Result<Json<CommandItem>, ApiError> {
    let missing = || ApiError::not_found(format!("there is no command for event {event_id}"));
    let row = server
        .store
        .command_by_event(parse_id(&event_id, "command")?)
        .await?
        .ok_or_else(missing)?;
    let command = server
        .executions
        .look(row.execution_id, |machine| {
            machine.command(&row.command_id).cloned()
        })
        .await?;
    let status = if row.worker_id.is_some() {
        CommandStatus::Claimed
    } else {
        CommandStatus::Pending
    };
    Ok(Json(item(
        event_id.clone(),
        status,
        &command.ok_or_else(missing)?,
    )))
}

/// Claim one command
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/commands/{event_id}/claim", tag = "workers", request_body = CommandClaim,
    params(("event_id" = String, Path)),
    responses((status = 200, body = CommandItem), ApiError)))]
pub(crate) async fn claim_one(
    State(server): State<AppState>,
    Path(event_id): Path<String>,
    Body(request): Body<CommandClaim>,
) -> Result<Json<CommandItem>, ApiError> {
    check_worker_name(&request.worker_id)?;
    let row = server
        .store
        .command_by_event(parse_id(&event_id, "command")?)
        .await?;
    let row = row
        .ok_or_else(|| ApiError::not_found(format!("there is no command for event {event_id}")))?;
    let command = server
        .executions
        .claim(
            row.execution_id,
            &row.command_id,
            Holder::worker(&request.worker_id),
        )
        .await?;
    Ok(Json(item(event_id, CommandStatus::Claimed, &command)))
}
