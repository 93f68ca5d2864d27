//! `/api/dashboard`: what the dashboard of the web page shows.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use noetl_api::dashboard::{Dashboard, DashboardBucket, DashboardQuery, DashboardSums, SlowStep};
use noetl_api::execution::Execution;
use noetl_api::worker::RuntimeKind;
use noetl_api::{AnswerStatus, ExecutionStatus};

use super::extract::Query;
use super::rows::execution;
use super::state::AppState;
use super::workers::OFFLINE_MS;
use crate::clock;
use crate::error::ApiError;
use crate::store::{ExecutionFilter, Store};

/// The routes of the dashboard, with one of older pages.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/dashboard/stats", get(stats))
        .route("/api/dashboard/widgets", get(stats))
}

/// The number of parts that the span of time is divided into.
const PARTS: i64 = 24;

/// Get the numbers of the dashboard
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/dashboard/stats", tag = "dashboard", params(DashboardQuery),
    responses((status = 200, body = Dashboard), ApiError)))]
pub(crate) async fn stats(
    State(server): State<AppState>,
    Query(query): Query<DashboardQuery>,
) -> Result<Json<Dashboard>, ApiError> {
    let store = &server.store;
    let span = query.hours.unwrap_or(24).clamp(1, 8760) * 3_600_000;
    let now = clock::now_ms();
    let width = span / PARTS;
    let since = (now / width - PARTS + 1) * width;
    let totals = store.totals(since).await?;
    let all_running = store.totals(0).await?.running;
    let (playbooks, credentials) = store.inventory().await?;
    let workers = store
        .runtimes(RuntimeKind::WorkerPool.as_str(), now)
        .await?;
    let ended = totals.completed + totals.failed;
    let sums = DashboardSums {
        total_executions: totals.total,
        successful_executions: totals.completed,
        failed_executions: totals.failed,
        cancelled_executions: totals.cancelled,
        running_executions: all_running,
        total_playbooks: playbooks,
        total_credentials: credentials,
        workers: workers
            .iter()
            .filter(|(worker, _)| now.saturating_sub(worker.heartbeat) <= OFFLINE_MS)
            .count(),
        success_rate: (ended > 0).then(|| totals.completed as f64 / ended as f64),
    };
    let series = series(store, since, now, width).await?;
    let latest = async |status| -> Result<Vec<Execution>, ApiError> {
        let filter = ExecutionFilter {
            status: Some(status),
            ..ExecutionFilter::default()
        };
        let (rows, _) = store.executions(&filter, 10, 0).await?;
        Ok(rows.iter().map(execution).collect())
    };
    let slowest = store.slowest_steps(since, 10).await?;
    Ok(Json(Dashboard {
        status: AnswerStatus::Ok,
        total_executions: sums.total_executions,
        successful_executions: sums.successful_executions,
        failed_executions: sums.failed_executions,
        total_playbooks: sums.total_playbooks,
        active_workflows: sums.running_executions,
        series,
        slowest_steps: slowest
            .into_iter()
            .map(|slow| SlowStep {
                path: slow.path,
                step: slow.step,
                count: slow.count,
                avg_seconds: slow.avg_ms / 1000.0,
                max_seconds: slow.max_ms as f64 / 1000.0,
            })
            .collect(),
        running: latest(ExecutionStatus::Running).await?,
        recent_failures: latest(ExecutionStatus::Failed).await?,
        stats: sums,
    }))
}

/// Counts the executions that began in each part of the span.
async fn series(
    store: &Store,
    since: i64,
    now: i64,
    width: i64,
) -> Result<Vec<DashboardBucket>, ApiError> {
    let buckets = store.buckets(since, width).await?;
    let bucket = |slot| {
        let bucket = buckets.iter().find(|bucket| bucket.slot == slot);
        DashboardBucket {
            start: clock::rfc3339(slot * width),
            completed: bucket.map_or(0, |bucket| bucket.completed),
            failed: bucket.map_or(0, |bucket| bucket.failed),
            cancelled: bucket.map_or(0, |bucket| bucket.cancelled),
            running: bucket.map_or(0, |bucket| bucket.running),
        }
    };
    Ok((since / width..=now / width).map(bucket).collect())
}
