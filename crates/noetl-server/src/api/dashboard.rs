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
use crate::store::{self, Bucket, ExecutionFilter};

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
    let last = now / width;
    let first = last - PARTS + 1;
    let since = first * width;
    let (buckets, slowest, (playbooks, credentials)) = tokio::try_join!(
        store.buckets(first, last, width),
        store.slowest_steps(since, 10),
        store.inventory()
    )?;
    let sum = |count: fn(&Bucket) -> i64| buckets.iter().map(count).sum::<i64>();
    let (completed, failed) = (sum(|it| it.completed), sum(|it| it.failed));
    let active = sum(|it| it.pending) + sum(|it| it.running);
    let cancelled = sum(|it| it.cancelled);
    let count = async |status: &'static [_]| {
        let filter = ExecutionFilter::of(status);
        store.count_executions(&filter).await
    };
    let (queue_depth, _) = store.queue_depth(store.clock().now()).await?;
    let workers = store
        .runtimes(RuntimeKind::WorkerPool.as_str(), now)
        .await?;
    let ended = completed + failed;
    let sums = DashboardSums {
        total_executions: ended + cancelled + active,
        successful_executions: completed,
        failed_executions: failed,
        cancelled_executions: cancelled,
        pending_executions: count(&[ExecutionStatus::Pending]).await?,
        running_executions: count(&[ExecutionStatus::Running]).await?,
        queue_depth,
        total_playbooks: playbooks,
        total_credentials: credentials,
        workers: workers
            .iter()
            .filter(|(worker, _)| now.saturating_sub(worker.heartbeat) <= OFFLINE_MS)
            .count(),
        success_rate: (ended > 0).then(|| completed as f64 / ended as f64),
    };
    let series = buckets.iter().map(|bucket| series(bucket, width)).collect();
    let latest = async |status: &'static [_]| -> Result<Vec<Execution>, ApiError> {
        let filter = ExecutionFilter::of(status);
        let rows = store.executions(&filter, 10, 0).await?;
        Ok(rows.iter().map(execution).collect())
    };
    Ok(Json(Dashboard {
        status: AnswerStatus::Ok,
        total_executions: sums.total_executions,
        successful_executions: sums.successful_executions,
        failed_executions: sums.failed_executions,
        total_playbooks: sums.total_playbooks,
        active_workflows: sums.running_executions,
        series,
        slowest_steps: slowest.into_iter().map(slow_step).collect(),
        running: latest(ExecutionStatus::ACTIVE).await?,
        recent_failures: latest(&[ExecutionStatus::Failed]).await?,
        stats: sums,
    }))
}

fn slow_step(slow: store::SlowStep) -> SlowStep {
    SlowStep {
        path: slow.path,
        step: slow.step,
        count: slow.count,
        avg_seconds: slow.avg_ms / 1000.0,
        max_seconds: slow.max_ms as f64 / 1000.0,
    }
}

fn series(bucket: &Bucket, width: i64) -> DashboardBucket {
    DashboardBucket {
        start: clock::rfc3339(bucket.slot * width),
        completed: bucket.completed,
        failed: bucket.failed,
        cancelled: bucket.cancelled,
        pending: bucket.pending,
        running: bucket.running,
    }
}
