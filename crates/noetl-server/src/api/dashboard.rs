//! `/api/dashboard`: sums for people.

use axum::Json;
use axum::extract::State;
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
