//! The HTTP API: routes, and what they share.

mod cancel;
mod catalog;
mod children;
mod commands;
mod credentials;
mod dashboard;
mod data;
mod error;
mod events;
mod executions;
mod graph;
mod items;
mod keychain;
mod meta;
mod metrics;
mod stream;
mod timeline;
mod validate;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{any, delete, get, post};
use noetl_api::server::BuildStamp;
use serde_json::Value;
use utoipa::OpenApi;

pub(crate) use error::ApiError;

use crate::runs::Runs;

/// The largest body of a request: a playbook's payload, a step's result.
const MAX_BODY: usize = 64 << 20;

/// The largest body of a sign-in.
const MAX_TOKEN: usize = 4 << 10;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) runs: Arc<Runs>,
    pub(crate) build: Arc<BuildStamp>,
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) started_at: i64,
    /// Whoever has it may use the API; none where everybody on this machine may.
    pub(crate) token: Option<Arc<str>>,
    pub(crate) requests: Arc<AtomicU64>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "NoETL API",
        description = "Playbooks, their executions, and the workers that run them."
    ),
    paths(
        meta::health,
        meta::version,
        meta::state,
        meta::session,
        meta::sign_in,
        meta::sign_out,
        catalog::register,
        validate::validate,
        catalog::list,
        catalog::list_kind,
        catalog::resource,
        catalog::get_path,
        catalog::graph,
        catalog::delete,
        executions::execute,
        executions::rerun,
        executions::list,
        executions::detail,
        executions::events,
        executions::status,
        cancel::cancel,
        cancel::cancellation_check,
        cancel::finalize,
        cancel::cleanup,
        timeline::timeline,
        timeline::graph,
        credentials::create,
        credentials::list,
        credentials::get,
        credentials::delete,
        credentials::test,
        keychain::put,
        keychain::get,
        keychain::delete,
        keychain::list,
        workers::register,
        workers::deregister,
        workers::heartbeat,
        workers::pools,
        workers::pool_state,
        commands::claim,
        commands::claim_one,
        commands::command,
        events::event,
        events::batch,
        events::batch_status,
        children::playbook,
        data::query,
        data::init,
        data::validate,
        data::variables,
        data::variable,
        data::set_variables,
        data::delete_variable,
        data::render,
        dashboard::stats
    )
)]
struct Description;

/// The OpenAPI document.
pub(crate) fn openapi() -> Value {
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}

/// Routes below `/api`, and those beside it for load balancers and people.
pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/health", get(meta::health))
        .route("/metrics", get(metrics::metrics))
        .route("/docs", get(meta::docs))
        .merge(server_routes())
        .merge(catalog_routes())
        .merge(execution_routes())
        .merge(worker_routes())
        .merge(data_routes())
        .route("/api", any(not_found))
        .route("/api/", any(not_found))
        .route("/api/{*path}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(server)
}

fn server_routes() -> Router<Server> {
    Router::new()
        .route("/api/health", get(meta::health))
        .route("/api/version", get(meta::version))
        .route("/api/status", get(meta::state))
        .route("/api/openapi.json", get(meta::description))
        .route(
            "/api/session",
            get(meta::session)
                .post(meta::sign_in)
                .delete(meta::sign_out)
                // Anybody may knock here, so nobody may bring much.
                .layer(DefaultBodyLimit::max(MAX_TOKEN)),
        )
        .route("/api/dashboard/stats", get(dashboard::stats))
        .route("/api/dashboard/widgets", get(dashboard::stats))
}

fn catalog_routes() -> Router<Server> {
    Router::new()
        .route("/api/catalog/register", post(catalog::register))
        .route("/api/catalog/validate", post(validate::validate))
        .route("/api/catalog/list", post(catalog::list))
        .route("/api/catalog/list/{kind}", get(catalog::list_kind))
        .route("/api/catalog/resource", post(catalog::resource))
        .route("/api/catalog/get/{*path}", get(catalog::get_path))
        .route("/api/catalog/graph", get(catalog::graph))
        .route("/api/catalog/entry", delete(catalog::delete))
        .route(
            "/api/credentials",
            get(credentials::list).post(credentials::create),
        )
        .route(
            "/api/credentials/{name}",
            get(credentials::get).delete(credentials::delete),
        )
        .route("/api/credentials/{name}/test", post(credentials::test))
        .route("/api/keychain/catalog/{catalog_id}", get(keychain::list))
        .route(
            "/api/keychain/{catalog_id}/{name}",
            get(keychain::get)
                .post(keychain::put)
                .delete(keychain::delete),
        )
}

fn execution_routes() -> Router<Server> {
    Router::new()
        .route("/api/execute", post(executions::execute))
        .route("/api/v2/execute", post(executions::execute))
        .route("/api/run/playbook", post(executions::execute))
        .route("/api/executions", get(executions::list))
        .route("/api/executions/stream", get(stream::executions))
        .route("/api/executions/cleanup", post(cancel::cleanup))
        .route("/api/executions/{execution_id}", get(executions::detail))
        .route(
            "/api/executions/{execution_id}/status",
            get(executions::status),
        )
        .route(
            "/api/execute/status/{execution_id}",
            get(executions::status),
        )
        .route(
            "/api/executions/{execution_id}/events",
            get(executions::events),
        )
        .route(
            "/api/executions/{execution_id}/stream",
            get(stream::execution),
        )
        .route(
            "/api/executions/{execution_id}/timeline",
            get(timeline::timeline),
        )
        .route("/api/executions/{execution_id}/graph", get(timeline::graph))
        .route(
            "/api/executions/{execution_id}/cancel",
            post(cancel::cancel),
        )
        .route(
            "/api/executions/{execution_id}/cancellation-check",
            get(cancel::cancellation_check),
        )
        .route(
            "/api/executions/{execution_id}/finalize",
            post(cancel::finalize),
        )
        .route(
            "/api/executions/{execution_id}/rerun",
            post(executions::rerun),
        )
}

fn worker_routes() -> Router<Server> {
    Router::new()
        .route("/api/worker/pool/register", post(workers::register))
        .route(
            "/api/worker/pool/deregister",
            post(workers::deregister).delete(workers::deregister),
        )
        .route("/api/worker/pool/heartbeat", post(workers::heartbeat))
        .route("/api/worker/pools", get(workers::pools))
        .route("/api/pool/status", get(workers::pool_state))
        .route("/api/runtime/register", post(workers::register))
        .route(
            "/api/runtime/deregister",
            post(workers::deregister).delete(workers::deregister),
        )
        .route("/api/worker/playbook", post(children::playbook))
        .route("/api/commands/claim", post(commands::claim))
        .route("/api/commands/{event_id}", get(commands::command))
        .route("/api/commands/{event_id}/claim", post(commands::claim_one))
        .route("/api/events", post(events::event))
        .route("/api/events/batch", post(events::batch))
        .route(
            "/api/events/batch/{request_id}/status",
            get(events::batch_status),
        )
        .route(
            "/api/events/batch/{request_id}/stream",
            get(events::batch_stream),
        )
        .route("/api/v2/events", post(events::event))
}

fn data_routes() -> Router<Server> {
    Router::new()
        .route("/api/postgres/execute", post(data::query))
        .route("/api/db/init", post(data::init))
        .route("/api/db/validate", get(data::validate))
        .route(
            "/api/vars/{execution_id}",
            get(data::variables).post(data::set_variables),
        )
        .route(
            "/api/vars/{execution_id}/{name}",
            get(data::variable).delete(data::delete_variable),
        )
        .route("/api/context/render", post(data::render))
}

async fn not_found() -> ApiError {
    ApiError::not_found("API endpoint not found")
}

async fn method_not_allowed() -> error::ApiError {
    error::ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take this method",
    )
    .help("GET /api/openapi.json says which it takes")
}
