//! Health, version, sessions, and the page that lists the API's operations.

use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
#[cfg(feature = "openapi")]
use noetl_api::ErrorBody;
use noetl_api::server::{AuthKind, BuildStamp, Health, ServerInfo, SessionRequest, SessionState};
use noetl_api::{AnswerStatus, ExecutionStatus};
use serde::Deserialize;

use super::extract::{Body, Query};
use super::state::AppState;
use crate::clock;
use crate::error::ApiError;
use crate::sessions::{Caller, SessionError};
use crate::store::ExecutionFilter;

/// The largest body of a sign-in.
const MAX_TOKEN_BYTES: usize = 4 << 10;

/// The routes of the server itself.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/health", get(health))
        .route("/health", get(health))
        .route("/api/version", get(version))
        .route("/api/status", get(state))
        .merge(sessions())
}

fn sessions() -> Router<AppState> {
    Router::new()
        .route("/api/session", get(session).post(sign_in).delete(sign_out))
        // These need no token, so their bodies are limited to a small size.
        .layer(DefaultBodyLimit::max(MAX_TOKEN_BYTES))
}

/// How `/api/health` checks.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub(crate) struct HealthQuery {
    /// Given with any value or none, the store is checked as well, by a small write. Without it, an answer only says
    /// that the server runs.
    ready: Option<String>,
}

/// Check that the server answers, and with `ready` that it can keep what it is given
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/health", tag = "server", params(HealthQuery),
    responses((status = 200, body = Health), ApiError)))]
pub(crate) async fn health(
    State(server): State<AppState>,
    Query(query): Query<HealthQuery>,
) -> Result<Json<Health>, ApiError> {
    if query.ready.is_some() {
        server.readiness.check(&server.store).await?;
    }
    Ok(Json(Health {
        status: AnswerStatus::Ok,
    }))
}

/// Get the build stamp
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/version", tag = "server",
    responses((status = 200, body = BuildStamp), (status = "4XX", body = ErrorBody))))]
pub(crate) async fn version(State(server): State<AppState>) -> Json<BuildStamp> {
    Json(server.about.build.clone())
}

/// Get the status of the server
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/status", tag = "server",
    responses((status = 200, body = ServerInfo), ApiError)))]
pub(crate) async fn state(State(server): State<AppState>) -> Result<Json<ServerInfo>, ApiError> {
    let store = &server.store;
    let now = clock::now_ms();
    let (waiting, running) = store.queue_depth(store.clock().now()).await?;
    let count = async |status: &'static [_]| {
        let filter = ExecutionFilter::of(status);
        store.count_executions(&filter).await
    };
    Ok(Json(ServerInfo {
        status: AnswerStatus::Ok,
        version: server.about.build.version.clone(),
        server_name: server.about.name.clone(),
        storage: store.storage().kind(),
        data_dir: server.about.data_dir.to_string_lossy().into_owned(),
        started_at: clock::rfc3339(server.about.started_at),
        uptime_seconds: (now - server.about.started_at) as f64 / 1000.0,
        pending_executions: count(&[ExecutionStatus::Pending]).await?,
        running_executions: count(&[ExecutionStatus::Running]).await?,
        pending_commands: waiting + running,
        auth: if server.sessions.are_required() {
            AuthKind::Token
        } else {
            AuthKind::None
        },
    }))
}

/// Check whether a session is needed, and whether the caller has one
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/session", tag = "server", responses((status = 200, body = SessionState), ApiError)))]
pub(crate) async fn session(
    State(server): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<SessionState>, ApiError> {
    let required = server.sessions.are_required();
    let caller = server.sessions.caller(&headers).await?;
    Ok(Json(SessionState {
        required,
        authenticated: caller == Caller::Known,
    }))
}

/// Exchange the token for a cookie, which the web page's streams can send
#[cfg_attr(feature = "openapi", utoipa::path(post, path = "/api/session", tag = "server", request_body = SessionRequest,
    responses((status = 200, body = Health), ApiError)))]
pub(crate) async fn sign_in(
    State(server): State<AppState>,
    Body(request): Body<SessionRequest>,
) -> Result<Response, ApiError> {
    let health = Json(Health {
        status: AnswerStatus::Ok,
    });
    match server.sessions.begin(request.token.trim()).await {
        Ok(Some(cookie)) => Ok(([(SET_COOKIE, cookie)], health).into_response()),
        Ok(None) => Ok(health.into_response()),
        Err(SessionError::Store(error)) => Err(error.into()),
        Err(error @ SessionError::WrongToken) => {
            Err(ApiError::new(StatusCode::UNAUTHORIZED, error.to_string())
                .help("the server prints the token's file when it starts"))
        }
        Err(error @ SessionError::Random(_)) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error.to_string(),
        )),
    }
}

/// End the session, and delete its cookie
#[cfg_attr(feature = "openapi", utoipa::path(delete, path = "/api/session", tag = "server",
    responses((status = 200, body = Health), ApiError)))]
pub(crate) async fn sign_out(
    State(server): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let cookie = server.sessions.end(&headers).await?;
    let health = Json(Health {
        status: AnswerStatus::Ok,
    });
    Ok(([(SET_COOKIE, cookie)], health).into_response())
}
