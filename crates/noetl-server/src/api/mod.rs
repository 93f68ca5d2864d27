//! The HTTP API: its routes, and the OpenAPI document that describes them.

mod cancel;
mod catalog;
mod commands;
mod contents;
mod credentials;
mod dashboard;
mod data;
mod events;
mod executions;
mod extract;
mod graph;
mod keychain;
mod meta;
mod metrics;
mod rows;
mod state;
mod stream;
mod sub_playbooks;
mod timeline;
mod validate;
mod workers;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{any, get};
use axum::{Json, Router};
use noetl_api::ErrorBody;
use noetl_api::execution::{ExecutionEnd, OmittedValue};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use state::{About, AppState};

use crate::error::ApiError;

/// The largest body of a request: a playbook's payload, a step's result.
const MAX_BODY_BYTES: usize = 64 << 20;

/// The part of the OpenAPI document that does not come from routes: its title, and schemas that no route names.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "NoETL API",
        description = "Playbooks, their executions, and the workers that run them."
    ),
    components(schemas(ErrorBody, ExecutionEnd, OmittedValue))
)]
struct Description;

/// The routes in the OpenAPI document, and those of older clients.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(meta::routes())
        .merge(metrics::routes())
        .merge(dashboard::routes())
        .merge(catalog::routes())
        .merge(validate::routes())
        .merge(credentials::routes())
        .merge(keychain::routes())
        .merge(executions::routes())
        .merge(contents::routes())
        .merge(stream::routes())
        .merge(timeline::routes())
        .merge(cancel::routes())
        .merge(workers::routes())
        .merge(commands::routes())
        .merge(events::routes())
        .merge(sub_playbooks::routes())
        .merge(data::routes())
}

/// Returns the OpenAPI document of the API, as JSON text.
pub fn openapi() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    serde_json::to_value(routes().to_openapi()).unwrap_or_default()
}

/// Returns the router of the API.
pub(crate) fn router(state: AppState) -> Router {
    let document = Arc::new(document());
    let docs = Html(meta::docs(&document));
    Router::from(routes())
        .route("/docs", get(async move || docs))
        .route(
            "/api/openapi.json",
            get(async move || Json((*document).clone())),
        )
        .route("/api", any(not_found))
        .route("/api/", any(not_found))
        .route("/api/{*path}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

async fn not_found() -> ApiError {
    ApiError::not_found("API endpoint not found")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not support this method",
    )
    .help("GET /api/openapi.json lists the methods of each path")
}
