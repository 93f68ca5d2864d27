//! Health, version, sessions, and the API's description of itself.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Server;
use super::error::{ApiError, Body, ErrorBody};
use crate::access;
use crate::clock;
use crate::vault::{same_secret, session_of};

/// Whether the server lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// What the server is and does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerState {
    status: &'static str,
    version: String,
    server_name: String,
    /// `sqlite` or `postgresql`.
    storage: &'static str,
    data_dir: String,
    started_at: String,
    uptime_seconds: f64,
    running_executions: i64,
    pending_commands: i64,
    /// `none` or `token`.
    auth: &'static str,
}

/// A token to be exchanged for a cookie.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SessionRequest {
    token: String,
}

/// Whether a session is needed and there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionState {
    required: bool,
    authenticated: bool,
}

/// Say that the server lives
#[utoipa::path(get, path = "/api/health", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Get what the binary was built from
#[utoipa::path(get, path = "/api/version", tag = "server",
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody)))]
pub(crate) async fn version(State(server): State<Server>) -> Json<Value> {
    Json((*server.build).clone())
}

/// Get what the server is and does
#[utoipa::path(get, path = "/api/status", tag = "server",
    responses((status = 200, body = ServerState), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn state(State(server): State<Server>) -> Result<Json<ServerState>, ApiError> {
    let store = &server.runs.store;
    let now = clock::now_ms();
    let (waiting, running) = store.queue_depth(now).await?;
    Ok(Json(ServerState {
        status: "ok",
        version: server
            .build
            .get("version")
            .and_then(Value::as_str)
            .unwrap_or("unknown")
            .to_owned(),
        server_name: server.name.clone(),
        storage: store.storage().name(),
        data_dir: server.data_dir.to_string_lossy().into_owned(),
        started_at: clock::rfc3339(server.started_at),
        uptime_seconds: (now - server.started_at) as f64 / 1000.0,
        running_executions: store.totals(0).await?.running,
        pending_commands: waiting + running,
        auth: if server.token.is_some() {
            "token"
        } else {
            "none"
        },
    }))
}

/// Say whether a session is needed, and whether this is one
#[utoipa::path(get, path = "/api/session", tag = "server", responses((status = 200, body = SessionState)))]
pub(crate) async fn session(
    State(server): State<Server>,
    headers: HeaderMap,
) -> Json<SessionState> {
    Json(SessionState {
        required: server.token.is_some(),
        authenticated: server
            .token
            .as_deref()
            .is_none_or(|token| access::carries(&headers, token)),
    })
}

/// Exchange the token for a cookie, which the page's streams can send
#[utoipa::path(post, path = "/api/session", tag = "server", request_body = SessionRequest,
    responses((status = 200, body = Health), (status = "4XX", body = ErrorBody)))]
pub(crate) async fn sign_in(
    State(server): State<Server>,
    Body(request): Body<SessionRequest>,
) -> Result<Response, ApiError> {
    let Some(token) = &server.token else {
        return Ok(Json(Health { status: "ok" }).into_response());
    };
    if !same_secret(request.token.trim(), token) {
        return Err(
            ApiError::new(StatusCode::UNAUTHORIZED, "the token is not this server's")
                .help("the server prints at its start where its token is kept"),
        );
    }
    let cookie = format!(
        "{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000",
        access::COOKIE,
        session_of(token)
    );
    Ok(([(SET_COOKIE, cookie)], Json(Health { status: "ok" })).into_response())
}

/// Forget the cookie
#[utoipa::path(delete, path = "/api/session", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn sign_out() -> Response {
    let cookie = format!(
        "{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
        access::COOKIE
    );
    ([(SET_COOKIE, cookie)], Json(Health { status: "ok" })).into_response()
}

/// The page that lists the API's operations.
pub(crate) async fn docs() -> Response {
    let document = super::openapi();
    let paths = document
        .get("paths")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let mut rows = String::new();
    for (path, operations) in &paths {
        for (method, operation) in operations.as_object().unwrap_or(&Map::new()) {
            let summary = operation
                .get("summary")
                .and_then(Value::as_str)
                .unwrap_or_default();
            rows += &format!(
                "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>\n",
                method.to_uppercase(),
                escape(path),
                escape(summary)
            );
        }
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>NoETL API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head><body><h1>NoETL API</h1>\
         <p>The whole description: <a href=\"/api/openapi.json\">/api/openapi.json</a></p>\
         <table><thead><tr><th>Method</th><th>Path</th><th>Does</th></tr></thead><tbody>\n{rows}</tbody></table></body></html>"
    );
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The description of the API.
pub(crate) async fn description() -> Json<Value> {
    Json(super::openapi())
}

pub(super) fn not_found_body() -> Value {
    json!({ "detail": "API endpoint not found" })
}
