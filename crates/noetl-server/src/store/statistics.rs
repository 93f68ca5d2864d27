//! Counts and averages for the dashboard and the metrics.

use super::row::from_row;
use noetl_api::ExecutionStatus;

use super::database::Store;
use super::error::StoreError;

/// The number of executions, by status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) completed: i64,
    pub(crate) failed: i64,
    pub(crate) cancelled: i64,
    pub(crate) pending: i64,
    pub(crate) running: i64,
}

from_row!(Totals: completed, failed, cancelled, pending, running);

/// The executions that began in a span of time.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// The span's number since 1970.
    pub(crate) slot: i64,
    pub(crate) completed: i64,
    pub(crate) failed: i64,
    pub(crate) cancelled: i64,
    pub(crate) pending: i64,
    pub(crate) running: i64,
}

from_row!(Bucket: slot, completed, failed, cancelled, pending, running);

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

/// Columns that count the executions of each status that meet a condition. Each count reads one range of the index on
/// status and time.
fn counts(condition: &str) -> String {
    let counts = ExecutionStatus::ALL.iter().map(|status| {
        let column = status.as_str().to_lowercase();
        format!("(SELECT COUNT(*) FROM execution WHERE status = '{status}'{condition}) AS {column}")
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// Of the calls in a span of time, the newest so many are looked at to find the slowest steps.
const CALLS: i64 = 5000;

impl Store {
    /// Counts all executions.
    pub(crate) async fn totals(&self) -> Result<Totals, StoreError> {
        let statement = format!("SELECT {}", counts(""));
        let totals = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .fetch_one(self.reader())
            .await?;
        Ok(totals)
    }

    /// Counts the executions that began in each of the spans of `width` milliseconds with the numbers `first` to `last`,
    /// on two connections.
    pub(crate) async fn buckets(
        &self,
        first: i64,
        last: i64,
        width: i64,
    ) -> Result<Vec<Bucket>, StoreError> {
        let middle = i64::midpoint(first, last);
        let (mut older, newer) = tokio::try_join!(
            self.some_buckets(first, middle, width),
            self.some_buckets(middle + 1, last, width)
        )?;
        older.extend(newer);
        Ok(older)
    }

    async fn some_buckets(
        &self,
        first: i64,
        last: i64,
        width: i64,
    ) -> Result<Vec<Bucket>, StoreError> {
        let counts =
            counts(" AND start_time >= spans.slot * $3 AND start_time < (spans.slot + 1) * $3");
        let statement = format!(
            "WITH RECURSIVE spans(slot) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT slot + 1 FROM spans WHERE slot < $2) \
             SELECT slot, {counts} FROM spans ORDER BY slot"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(first)
            .bind(last)
            .bind(width)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns the steps whose calls took longest on average, of the newest [`CALLS`] calls since a time.
    pub(crate) async fn slowest_steps(
        &self,
        since: i64,
        limit: i64,
    ) -> Result<Vec<SlowStep>, StoreError> {
        let newest = |event_type: &str| {
            format!(
                "SELECT * FROM (SELECT execution_id, node_name, duration_ms, created_at FROM event \
                 WHERE event_type = '{event_type}' AND created_at >= $1 ORDER BY created_at DESC LIMIT $3) AS \
                 newest_{}",
                event_type.replace('.', "_")
            )
        };
        let statement = format!(
            "SELECT x.path AS path, e.node_name AS step, COUNT(*) AS count, \
             CAST(AVG(e.duration_ms) AS DOUBLE PRECISION) AS avg_ms, MAX(e.duration_ms) AS max_ms \
             FROM (SELECT * FROM ({} UNION ALL {}) AS both_kinds ORDER BY created_at DESC LIMIT $3) AS e \
             JOIN execution x ON x.execution_id = e.execution_id \
             WHERE e.duration_ms IS NOT NULL AND e.node_name IS NOT NULL \
             GROUP BY x.path, e.node_name ORDER BY 4 DESC LIMIT $2",
            newest("call.done"),
            newest("call.error")
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(since)
            .bind(limit)
            .bind(CALLS)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Counts the paths of the catalog and the credentials.
    pub(crate) async fn inventory(&self) -> Result<(i64, i64), StoreError> {
        let (playbooks,): (i64,) =
            sqlx::query_as("SELECT COUNT(DISTINCT path) FROM catalog WHERE deleted_at IS NULL")
                .fetch_one(self.reader())
                .await?;
        let (credentials,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM credential")
            .fetch_one(self.reader())
            .await?;
        Ok((playbooks, credentials))
    }
}
