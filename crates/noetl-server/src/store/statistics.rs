//! Counts and averages for the dashboard and the metrics.

use super::row::from_row;
use noetl_api::ExecutionStatus;

use super::database::Store;
use super::error::StoreError;

/// The number of executions, by status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) total: i64,
    pub(crate) completed: i64,
    pub(crate) failed: i64,
    pub(crate) cancelled: i64,
    pub(crate) running: i64,
}

from_row!(Totals: total, completed, failed, cancelled, running);

/// The executions that began in a span of time.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// The span's number since 1970.
    pub(crate) slot: i64,
    pub(crate) completed: i64,
    pub(crate) failed: i64,
    pub(crate) cancelled: i64,
    pub(crate) running: i64,
}

from_row!(Bucket: slot, completed, failed, cancelled, running);

/// How long the calls of a step take.
#[derive(Debug, Clone)]
pub(crate) struct SlowStep {
    pub(crate) path: String,
    pub(crate) step: String,
    pub(crate) count: i64,
    pub(crate) avg_ms: f64,
    pub(crate) max_ms: i64,
}

from_row!(SlowStep: path, step, count, avg_ms, max_ms);

/// Columns that count the executions of each status.
fn sums() -> String {
    let sums = ExecutionStatus::ALL.iter().map(|status| {
        let column = status.as_str().to_lowercase();
        format!("CAST(COALESCE(SUM(CASE WHEN status = '{status}' THEN 1 ELSE 0 END), 0) AS BIGINT) AS {column}")
    });
    sums.collect::<Vec<_>>().join(", ")
}

impl Store {
    /// Counts the executions that began since a time.
    pub(crate) async fn totals(&self, since: i64) -> Result<Totals, StoreError> {
        let statement = format!(
            "SELECT COUNT(*) AS total, {} FROM execution WHERE start_time >= $1",
            sums()
        );
        let totals = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(since)
            .fetch_one(self.reader())
            .await?;
        Ok(totals)
    }

    /// Counts the executions since a time, in spans of `width` milliseconds.
    pub(crate) async fn buckets(&self, since: i64, width: i64) -> Result<Vec<Bucket>, StoreError> {
        let statement = format!(
            "SELECT start_time / $2 AS slot, {} FROM execution WHERE start_time >= $1 GROUP BY start_time / $2 ORDER BY 1",
            sums()
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(since)
            .bind(width)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns the steps whose calls took longest on average since a time.
    pub(crate) async fn slowest_steps(
        &self,
        since: i64,
        limit: i64,
    ) -> Result<Vec<SlowStep>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT x.path AS path, e.node_name AS step, COUNT(*) AS count, \
             CAST(AVG(e.duration_ms) AS DOUBLE PRECISION) AS avg_ms, MAX(e.duration_ms) AS max_ms \
             FROM event e JOIN execution x ON x.execution_id = e.execution_id \
             WHERE e.event_type IN ('call.done', 'call.error') AND e.created_at >= $1 AND e.duration_ms IS NOT NULL \
             AND e.node_name IS NOT NULL GROUP BY x.path, e.node_name ORDER BY 4 DESC LIMIT $2",
        )
        .bind(since)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(rows)
    }

    /// Counts the paths of the catalog and the credentials.
    pub(crate) async fn inventory(&self) -> Result<(i64, i64), StoreError> {
        let (playbooks,): (i64,) = sqlx::query_as("SELECT COUNT(DISTINCT path) FROM catalog")
            .fetch_one(self.reader())
            .await?;
        let (credentials,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM credential")
            .fetch_one(self.reader())
            .await?;
        Ok((playbooks, credentials))
    }
}
