//! Deletes executions that have ended, with all that was kept of them.

use super::database::Store;
use super::error::StoreError;

/// Executions are deleted in transactions of so many, so that other changes do not wait for long.
const BATCH: i64 = 50;

/// The tables that keep something of an execution, and `execution` itself at the end.
const TABLES: [&str; 7] = [
    "event",
    "command",
    "content",
    "log_chunk",
    "log_attempt",
    "ended",
    "execution",
];

/// Those that ended before `$1`. What a running execution started is kept, since it may still be asked for.
const ENDED: &str = "end_time < $1 AND NOT EXISTS (SELECT 1 FROM execution parent \
    WHERE parent.execution_id = execution.parent_execution_id AND parent.end_time IS NULL)";

impl Store {
    /// Counts the executions that ended before a time and can be deleted.
    pub(crate) async fn count_ended(&self, before: i64) -> Result<i64, StoreError> {
        let statement = format!("SELECT COUNT(*) FROM execution WHERE {ENDED}");
        let (count,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(before)
            .fetch_one(self.reader())
            .await?;
        Ok(count)
    }

    /// Deletes the oldest executions that ended before a time, at most [`BATCH`]. Returns how many.
    pub(crate) async fn delete_ended(&self, before: i64) -> Result<usize, StoreError> {
        let mut transaction = self.begin().await?;
        let statement = format!(
            "SELECT execution_id FROM execution WHERE {ENDED} ORDER BY end_time LIMIT {BATCH}"
        );
        let ids: Vec<(i64,)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(before)
            .fetch_all(&mut *transaction)
            .await?;
        for (id,) in &ids {
            for table in TABLES {
                let statement = format!("DELETE FROM {table} WHERE execution_id = $1");
                sqlx::query(sqlx::AssertSqlSafe(statement))
                    .bind(*id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        // Deleted versions of playbooks that only these executions needed.
        sqlx::query(
            "DELETE FROM catalog WHERE deleted_at IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM execution e WHERE e.catalog_id = catalog.catalog_id)",
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(ids.len())
    }
}
