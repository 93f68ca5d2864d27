//! The HTTP API: its routes, and the OpenAPI document that describes them.

mod cancel;
mod catalog;
mod commands;
mod contents;
mod credentials;
mod dashboard;
mod data;
#[cfg(feature = "openapi")]
mod document;
mod events;
mod executions;
mod extract;
mod graph;
mod keychain;
mod logs;
mod meta;
mod metrics;
mod parameters;
mod rows;
mod state;
mod stream;
mod sub_playbooks;
mod timeline;
mod validate;
mod workers;

use std::io::Read as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use flate2::read::GzDecoder;
use serde_json::Value;

#[cfg(feature = "openapi")]
pub use document::generate;
pub(crate) use state::{About, AppState};

use self::parameters::{Parameters, refuse_unknown};
use crate::error::ApiError;

/// The largest body of a request: a playbook's payload, a step's result.
const MAX_BODY_BYTES: usize = 64 << 20;

/// The OpenAPI document of the API, as JSON text. The feature `openapi` makes it, and a test compares the two.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let packed: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
    let mut text = String::new();
    let unpacked = GzDecoder::new(packed).read_to_string(&mut text);
    unpacked.expect("the build script has compressed it");
    text
});

/// The routes in the OpenAPI document, and those of older clients.
fn routes() -> Router<AppState> {
    Router::new()
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
        .merge(logs::routes())
        .merge(timeline::routes())
        .merge(cancel::routes())
        .merge(workers::routes())
        .merge(commands::routes())
        .merge(events::routes())
        .merge(sub_playbooks::routes())
        .merge(data::routes())
}

/// Returns the router of the API.
pub(crate) fn router(state: AppState) -> Router {
    let document: Value = serde_json::from_str(&OPENAPI).expect("the document is JSON");
    let parameters = Parameters::of(&document);
    let json = [(CONTENT_TYPE, "application/json")];
    routes()
        .route_layer(from_fn_with_state(parameters, refuse_unknown))
        .route(
            "/api/openapi.json",
            get(async move || (json, OPENAPI.as_str())),
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
