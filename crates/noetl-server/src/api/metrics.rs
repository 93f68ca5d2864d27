//! `/metrics`: the server's metrics in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::state::AppState;

/// The route of the metrics, which is not in the OpenAPI document.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/metrics", get(metrics))
}

/// Get the metrics
pub(crate) async fn metrics(State(server): State<AppState>) -> Response {
    let mut text = process(&server);
    let store = &server.store;
    let totals = store.totals().await;
    let up = f64::from(u8::from(totals.is_ok()));
    text += &metric(
        "noetl_up",
        "gauge",
        "Whether the server and its store answer.",
        &[("", up)],
    );
    if let Ok(totals) = totals {
        let rows = [
            ("{status=\"COMPLETED\"}", totals.completed as f64),
            ("{status=\"FAILED\"}", totals.failed as f64),
            ("{status=\"CANCELLED\"}", totals.cancelled as f64),
            ("{status=\"PENDING\"}", totals.pending as f64),
            ("{status=\"RUNNING\"}", totals.running as f64),
        ];
        text += &metric(
            "noetl_executions",
            "gauge",
            "Executions in the store.",
            &rows,
        );
    }
    if let Ok((waiting, running)) = store.queue_depth(store.clock().now()).await {
        let rows = [
            ("{state=\"waiting\"}", waiting as f64),
            ("{state=\"running\"}", running as f64),
        ];
        text += &metric(
            "noetl_commands",
            "gauge",
            "Commands without an outcome.",
            &rows,
        );
    }
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

/// Returns the metrics that do not come from the store.
fn process(server: &AppState) -> String {
    let version = &server.about.build.version;
    let name = server.about.name.replace(['"', '\\', '\n'], "_");
    let info = format!("{{version=\"{version}\",name=\"{name}\"}}");
    let started = server.about.started_at as f64 / 1000.0;
    let connections = &server.connections;
    let open = connections.open_count() as f64;
    let refused = connections.refused_count() as f64;
    let limit = connections.limits().all as f64;
    let requests = server.requests.load(Ordering::Relaxed) as f64;
    metric(
        "noetl_info",
        "gauge",
        "The server's version.",
        &[(&info, 1.0)],
    ) + &metric(
        "noetl_process_start_time_seconds",
        "gauge",
        "When the server started.",
        &[("", started)],
    ) + &metric(
        "noetl_request_total",
        "counter",
        "Requests that the server has answered.",
        &[("", requests)],
    ) + &metric(
        "noetl_connections",
        "gauge",
        "Open connections.",
        &[("", open)],
    ) + &metric(
        "noetl_connections_limit",
        "gauge",
        "How many connections are answered at the same time.",
        &[("", limit)],
    ) + &metric(
        "noetl_connections_refused_total",
        "counter",
        "Connections that were closed because there was no room.",
        &[("", refused)],
    )
}

fn metric(name: &str, kind: &str, help: &str, rows: &[(&str, f64)]) -> String {
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in rows {
        // Writing to a string cannot fail.
        writeln!(text, "{name}{labels} {value}").unwrap_or_default();
    }
    text
}
