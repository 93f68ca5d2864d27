//! `/api/dashboard` and `/metrics`: sums for people and for Prometheus.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Server;
use super::error::{ApiError, ErrorBody, Query};
use super::items::Item;
use crate::clock;
use crate::store::ExecutionFilter;

/// Bars of the chart.
const BARS: i64 = 24;

/// The span of time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsQuery {
    /// From 1 to 8760; 24 when missing.
    hours: Option<i64>,
}

/// Sums.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Sums {
    total_executions: i64,
    successful_executions: i64,
    failed_executions: i64,
    cancelled_executions: i64,
    running_executions: i64,
    total_playbooks: i64,
    total_credentials: i64,
    workers: usize,
    /// Of those that ended by themselves, from 0 to 1.
    success_rate: Option<f64>,
}

/// Executions that began in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bar {
    start: String,
    completed: i64,
    failed: i64,
    cancelled: i64,
    running: i64,
}

/// How long a step's calls take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Slow {
    path: String,
    step: String,
    count: i64,
    avg_seconds: f64,
    max_seconds: f64,
}

/// What a dashboard shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    status: &'static str,
    stats: Sums,
    total_executions: i64,
    successful_executions: i64,
    failed_executions: i64,
    total_playbooks: i64,
    active_workflows: i64,
    series: Vec<Bar>,
    slowest_steps: Vec<Slow>,
    running: Vec<Item>,
    recent_failures: Vec<Item>,
}

/// Get what a dashboard shows
#[utoipa::path(get, path = "/api/dashboard/stats", tag = "dashboard", params(StatsQuery),
    responses((status = 200, body = Stats), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn stats(
    State(server): State<Server>,
    Query(query): Query<StatsQuery>,
) -> Result<Json<Stats>, ApiError> {
    let store = &server.runs.store;
    let span = query.hours.unwrap_or(24).clamp(1, 8760) * 3_600_000;
    let now = clock::now_ms();
    let width = span / BARS;
    let since = (now / width - BARS + 1) * width;
    let totals = store.totals(since).await?;
    let all_running = store.totals(0).await?.running;
    let (playbooks, credentials) = store.inventory().await?;
    let workers = store.runtimes("worker_pool", now).await?;
    let ended = totals.completed + totals.failed;
    let sums = Sums {
        total_executions: totals.total,
        successful_executions: totals.completed,
        failed_executions: totals.failed,
        cancelled_executions: totals.cancelled,
        running_executions: all_running,
        total_playbooks: playbooks,
        total_credentials: credentials,
        workers: workers
            .iter()
            .filter(|(worker, _)| now - worker.heartbeat <= 60_000)
            .count(),
        success_rate: (ended > 0).then(|| totals.completed as f64 / ended as f64),
    };
    let buckets = store.buckets(since, width).await?;
    let series = (since / width..=now / width)
        .map(|slot| {
            let bucket = buckets.iter().find(|bucket| bucket.slot == slot);
            Bar {
                start: clock::rfc3339(slot * width),
                completed: bucket.map_or(0, |bucket| bucket.completed),
                failed: bucket.map_or(0, |bucket| bucket.failed),
                cancelled: bucket.map_or(0, |bucket| bucket.cancelled),
                running: bucket.map_or(0, |bucket| bucket.running),
            }
        })
        .collect();
    let latest = async |status: &str| -> Result<Vec<Item>, ApiError> {
        let filter = ExecutionFilter {
            status: Some(status.to_owned()),
            ..ExecutionFilter::default()
        };
        let (rows, _) = store.executions(&filter, 10, 0).await?;
        Ok(rows.iter().map(Item::from).collect())
    };
    let slowest = store.slowest_steps(since, 10).await?;
    Ok(Json(Stats {
        status: "ok",
        total_executions: sums.total_executions,
        successful_executions: sums.successful_executions,
        failed_executions: sums.failed_executions,
        total_playbooks: sums.total_playbooks,
        active_workflows: sums.running_executions,
        series,
        slowest_steps: slowest
            .into_iter()
            .map(|slow| Slow {
                path: slow.path,
                step: slow.step,
                count: slow.count,
                avg_seconds: slow.avg_ms / 1000.0,
                max_seconds: slow.max_ms as f64 / 1000.0,
            })
            .collect(),
        running: latest("RUNNING").await?,
        recent_failures: latest("FAILED").await?,
        stats: sums,
    }))
}

/// One metric in Prometheus' text format.
fn metric(name: &str, kind: &str, help: &str, rows: &[(String, f64)]) -> String {
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in rows {
        // Writing to a string cannot fail.
        writeln!(text, "{name}{labels} {value}").unwrap_or_default();
    }
    text
}

/// The server's counters in Prometheus' text format
pub(crate) async fn metrics(State(server): State<Server>) -> Response {
    let store = &server.runs.store;
    let totals = store.totals(0).await;
    let queue = store.queue_depth(clock::now_ms()).await;
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, help: &str, rows: &[(String, f64)]| {
        text += &metric(name, kind, help, rows);
    };
    let plain = |value: f64| vec![(String::new(), value)];
    line(
        "noetl_up",
        "gauge",
        "Whether the server and its store answer.",
        &plain(f64::from(u8::from(totals.is_ok()))),
    );
    let version = server
        .build
        .get("version")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("unknown");
    let info = format!(
        "{{version=\"{version}\",name=\"{}\"}}",
        server.name.replace(['"', '\\', '\n'], "_")
    );
    line(
        "noetl_info",
        "gauge",
        "The server's version.",
        &[(info, 1.0)],
    );
    let started = server.started_at as f64 / 1000.0;
    line(
        "noetl_process_start_time_seconds",
        "gauge",
        "When the server started.",
        &plain(started),
    );
    let requests = server.requests.load(std::sync::atomic::Ordering::Relaxed);
    line(
        "noetl_request_total",
        "counter",
        "Requests that the server has answered.",
        &plain(requests as f64),
    );
    if let Ok(totals) = totals {
        let rows = [
            ("COMPLETED", totals.completed),
            ("FAILED", totals.failed),
            ("CANCELLED", totals.cancelled),
            ("RUNNING", totals.running),
        ];
        let rows: Vec<_> = rows
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), count as f64))
            .into();
        line(
            "noetl_executions",
            "gauge",
            "Executions in the store.",
            &rows,
        );
    }
    if let Ok((waiting, running)) = queue {
        let rows = [
            ("{state=\"waiting\"}".to_owned(), waiting as f64),
            ("{state=\"running\"}".to_owned(), running as f64),
        ];
        line(
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
