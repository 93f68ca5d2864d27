//! `/api/execute` and `/api/executions`: starting executions, and their status and log.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use noetl_api::event::{EventList, EventsAfterQuery};
use noetl_api::execution::{
    EventPageQuery, ExecuteRequest, Execution, ExecutionDetail, ExecutionInput, ExecutionListQuery,
    ExecutionState, Pagination, RerunRequest, RetryRequest, StartStatus, Started,
};
use noetl_api::{ExecutionStatus, Version};

use super::catalog::find;
use super::extract::{Body, IdempotencyKey, OptionalBody, Path, Query, parse_id};
use super::rows::{self, find_execution};
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::executions::{self, Start};
use crate::store::{CatalogEntry, ExecutionFilter, Store};

/// The routes of executions, with those of older clients.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/execute", post(execute))
        .route("/api/v2/execute", post(execute))
        .route("/api/run/playbook", post(execute))
        .route("/api/executions", get(list_executions))
        .route("/api/executions/{execution_id}", get(detail))
        .route("/api/executions/{execution_id}/events", get(events))
        .route("/api/executions/{execution_id}/status", get(status))
        .route("/api/execute/status/{execution_id}", get(status))
        .route("/api/executions/{execution_id}/rerun", post(rerun))
        .route("/api/executions/{execution_id}/retry", post(retry))
        .route("/api/executions/{execution_id}/input", get(input))
}

/// Start an execution
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/execute", tag = "executions", request_body = ExecuteRequest,
    params(IdempotencyKey),
    responses((status = 200, body = Started), ApiError)))]
pub(crate) async fn execute(
    State(server): State<AppState>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Body(request): Body<ExecuteRequest>,
) -> Result<Json<Started>, ApiError> {
    let entry = find(
        &server,
        request.catalog_id.as_ref(),
        request.path.as_deref(),
        request.version.as_ref(),
    )
    .await
    .map_err(|error| match request.path {
        Some(path) if error.status == StatusCode::NOT_FOUND => {
            ApiError::not_found(format!("there is no playbook `{path}` in the catalog"))
                .help("register it with `noetl register playbook --file FILE`")
        }
        _ => error,
    })?;
    let parent = request
        .parent_execution_id
        .as_ref()
        .map(|id| parse_id(&id, "execution"))
        .transpose()?;
    let mut payload = request.payload.unwrap_or_default();
    if !request.set.is_empty() {
        let playbook = server.executions.playbook(&entry)?;
        for (key, value) in &request.set {
            playbook.assign(&mut payload, key, value);
        }
    }
    let start = Start {
        payload,
        target: request.target,
        parent_execution_id: parent,
        idempotency_key,
        ..Start::default()
    };
    begin(&server, entry, start).await
}

async fn begin(
    server: &AppState,
    entry: CatalogEntry,
    start: Start,
) -> Result<Json<Started>, ApiError> {
    let started = server.executions.start(&entry, start).await?;
    Ok(Json(answer(entry, &started)))
}

fn answer(entry: CatalogEntry, started: &executions::Started) -> Started {
    Started {
        execution_id: started.execution_id.to_string(),
        status: StartStatus::Started,
        commands_generated: started.commands,
        path: entry.path,
        version: started.version,
        catalog_id: started.catalog_id.to_string(),
    }
}

/// Start the playbook of an execution again
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/{execution_id}/rerun", tag = "executions", request_body = Option<RerunRequest>,
    params(("execution_id" = String, Path), IdempotencyKey),
    responses((status = 200, body = Started), ApiError)))]
pub(crate) async fn rerun(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    OptionalBody(request): OptionalBody<RerunRequest>,
) -> Result<Json<Started>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let entry = server
        .store
        .entry_by_id(row.catalog_id)
        .await?
        .ok_or_else(super::catalog::missing)?;
    let payload = match request.payload {
        Some(payload) => payload,
        None => Store::payload(&mut *server.store.read().await?, row.execution_id).await?,
    };
    let start = Start {
        payload,
        target: row.target,
        idempotency_key,
        ..Start::default()
    };
    begin(&server, entry, start).await
}

/// Get what an execution was started with
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/input", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = ExecutionInput), ApiError)))]
pub(crate) async fn input(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<ExecutionInput>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let payload = Store::payload(&mut *server.store.read().await?, row.execution_id).await?;
    Ok(Json(ExecutionInput {
        payload,
        target: row.target,
    }))
}

/// Retry an execution that failed or was cancelled, with the results of what ended well
///
/// Steps and items of loops that ended well keep their results. What made the execution fail is run again, and then what
/// follows it. A sub-playbook that failed is run again from its beginning. Templates see the id of the first execution.
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/executions/{execution_id}/retry", tag = "executions", request_body = Option<RetryRequest>,
    params(("execution_id" = String, Path), IdempotencyKey),
    responses((status = 200, body = Started), ApiError)))]
pub(crate) async fn retry(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    OptionalBody(request): OptionalBody<RetryRequest>,
) -> Result<Json<Started>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let entry = match &request.version {
        Some(version) => find(&server, None, Some(&row.path), Some(version))
            .await
            .map_err(|error| no_version(error, &row.path, version))?,
        None => server
            .store
            .entry_by_id(row.catalog_id)
            .await?
            .ok_or_else(super::catalog::missing)?,
    };
    let started = server
        .executions
        .retry(row, &entry, idempotency_key)
        .await?;
    Ok(Json(answer(entry, &started)))
}

/// Names the version that is not there: the resource of the request is the execution, which is.
fn no_version(error: ApiError, path: &str, version: &Version) -> ApiError {
    if error.status != StatusCode::NOT_FOUND {
        return error;
    }
    let version = version.number().ok().flatten();
    let version = version.map_or_else(
        || "version".to_owned(),
        |number| format!("version {number}"),
    );
    ApiError::invalid(format!("the catalog has no {version} of the playbook `{path}`")).help(
        "leave the version out to use that of the execution, or register one with `noetl register playbook --file FILE`",
    )
}

fn time(text: Option<&str>, name: &str) -> Result<Option<i64>, ApiError> {
    text.map(|text| {
        clock::parse(text)
            .ok_or_else(|| ApiError::invalid(format!("`{name}` is not an RFC 3339 time")))
    })
    .transpose()
}

/// List executions, newest first
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions", tag = "executions", params(ExecutionListQuery),
    responses((status = 200, body = [Execution], headers(("x-total-count" = i64, description = "How many there are in all; with `q`, 1000 stands for 1000 or more"))), ApiError)))]
pub(crate) async fn list_executions(
    State(server): State<AppState>,
    Query(query): Query<ExecutionListQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let parse =
        |text: &Option<String>, noun| text.as_deref().map(|text| parse_id(text, noun)).transpose();
    let wanted = query.status.map(|status| status.to_uppercase());
    let status = wanted.as_ref().map(|wanted| {
        let mut known = ExecutionStatus::ALL.iter();
        known.find(|status| status.as_str() == wanted)
    });
    let filter = ExecutionFilter {
        statuses: status.flatten().map_or(&[], std::slice::from_ref),
        path: query.path,
        catalog_id: parse(&query.catalog_id, "catalog entry")?,
        parent: parse(&query.parent_execution_id, "execution")?,
        since: time(query.since.as_deref(), "since")?,
        until: time(query.until.as_deref(), "until")?,
    };
    let limit = query.limit.unwrap_or(100).clamp(1, 1000);
    let offset = query.offset.unwrap_or(0).max(0);
    let store = &server.store;
    let (rows, total) = match (status, query.q) {
        // A status that does not exist is the status of no execution.
        (Some(None), _) => (Vec::new(), 0),
        (_, Some(text)) if !text.is_empty() => {
            let search = store.search_executions(&filter, &text, limit, offset);
            search.await?
        }
        _ => tokio::try_join!(
            store.executions(&filter, limit, offset),
            store.count_executions(&filter)
        )?,
    };
    let items: Vec<Execution> = rows.iter().map(rows::execution).collect();
    Ok((
        [(
            HeaderName::from_static("x-total-count"),
            HeaderValue::from(total),
        )],
        Json(items),
    ))
}

/// Get an execution and a page of its log, newest first
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}", tag = "executions",
    params(("execution_id" = String, Path), EventPageQuery),
    responses((status = 200, body = ExecutionDetail), ApiError)))]
pub(crate) async fn detail(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Query(query): Query<EventPageQuery>,
) -> Result<Json<ExecutionDetail>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let page_size = query.page_size.unwrap_or(100).clamp(10, 500);
    let page = query.page.unwrap_or(1).clamp(1, i64::MAX / 1000);
    let since = query
        .since_event_id
        .as_deref()
        .map(|text| parse_id(&text, "event"))
        .transpose()?;
    let (events, total) = server
        .store
        .events_page(
            row.execution_id,
            query.event_type.as_deref(),
            since,
            page_size,
            (page - 1) * page_size,
        )
        .await?;
    let total_pages = (total + page_size - 1) / page_size;
    Ok(Json(ExecutionDetail {
        execution: rows::execution(&row),
        events: rows::events(&events)?,
        pagination: Pagination {
            page,
            page_size,
            total_events: total,
            total_pages,
            has_next: page < total_pages,
            has_prev: page > 1,
        },
    }))
}

/// Get events after one, oldest first
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/events", tag = "executions",
    params(("execution_id" = String, Path), EventsAfterQuery),
    responses((status = 200, body = EventList), ApiError)))]
pub(crate) async fn events(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Query(query): Query<EventsAfterQuery>,
) -> Result<Json<EventList>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let after = query
        .after
        .as_deref()
        .map(|text| parse_id(&text, "event"))
        .transpose()?
        .unwrap_or(0);
    let limit = query.limit.unwrap_or(500).clamp(1, 1000);
    let events = server
        .store
        .events_after(row.execution_id, after, limit)
        .await?;
    Ok(Json(EventList {
        last_event_id: events
            .last()
            .map_or(after, |event| event.event_id)
            .to_string(),
        events: rows::events(&events)?,
        status: row.status,
    }))
}

/// Get the status of an execution
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/status", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = ExecutionState), ApiError)))]
pub(crate) async fn status(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Json<ExecutionState>, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let (variables, completed_steps) = server.executions.variables(row.execution_id).await?;
    let end = row.end_time.unwrap_or_else(clock::now_ms);
    let elapsed = end.saturating_sub(row.start_time);
    Ok(Json(ExecutionState {
        execution_id: row.execution_id.to_string(),
        path: row.path.clone(),
        version: row.version,
        current_step: row.current_step.clone(),
        completed_steps,
        failed: row.status == ExecutionStatus::Failed,
        completed: row.status == ExecutionStatus::Completed,
        cancelled: row.status == ExecutionStatus::Cancelled,
        variables,
        error: row.error.clone(),
        result: rows::json(row.result.as_deref()),
        start_time: clock::rfc3339(row.start_time),
        end_time: row.end_time.map(clock::rfc3339),
        duration_seconds: elapsed as f64 / 1000.0,
        duration_human: clock::human(elapsed),
        status: row.status,
    }))
}
