//! Executions: one row for each, which agrees with the event log.

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value as Json};
use sqlx::AnyConnection;

use super::catalog::like;
use super::contents::{Column, Extracted, to_column};
use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use super::write::Write;

/// An execution.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionRow {
    pub(crate) execution_id: i64,
    pub(crate) catalog_id: i64,
    pub(crate) path: String,
    pub(crate) version: i64,
    pub(crate) status: ExecutionStatus,
    pub(crate) target: Option<String>,
    pub(crate) parent_execution_id: Option<i64>,
    pub(crate) parent_call: Option<String>,
    pub(crate) current_step: Option<String>,
    pub(crate) progress: i64,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) start_time: i64,
    pub(crate) end_time: Option<i64>,
    pub(crate) last_event_id: i64,
}

from_row!(
    ExecutionRow:
    execution_id, catalog_id, path, version, status as String, target, parent_execution_id,
    parent_call, current_step, progress, result, error, start_time, end_time, last_event_id
);

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExecutionFilter {
    pub(crate) status: Option<ExecutionStatus>,
    pub(crate) path: Option<String>,
    /// Part of a path, error or id.
    pub(crate) text: Option<String>,
    pub(crate) catalog_id: Option<i64>,
    pub(crate) parent: Option<i64>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

/// The columns of an execution's row that a change updates.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) execution_id: i64,
    pub(crate) status: ExecutionStatus,
    pub(crate) current_step: Option<String>,
    pub(crate) progress: i64,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) end_time: Option<i64>,
    pub(crate) last_event_id: i64,
}

const COLUMNS: &str = "execution_id, catalog_id, path, version, status, target, parent_execution_id, \
                       parent_call, current_step, progress, result, error, start_time, end_time, last_event_id";

/// The same for a list, whose rows are small.
const LIST_COLUMNS: &str = "execution_id, catalog_id, path, version, status, target, parent_execution_id, \
    parent_call, current_step, progress, CASE WHEN OCTET_LENGTH(result) <= 2048 THEN result WHEN result IS NOT NULL \
    THEN '{\"omitted_bytes\":' || OCTET_LENGTH(result) || ',\"href\":\"/api/executions/' || execution_id || '/result\"}' END \
    AS result, CASE WHEN LENGTH(error) > 2048 THEN SUBSTR(error, 1, 2048) || ' …' ELSE error END AS error, \
    start_time, end_time, last_event_id";

impl Store {
    /// Adds an execution with its payload, a JSON object. Returns false when one with the same `parent_call` exists.
    pub(crate) async fn insert_execution(
        transaction: &mut Write,
        row: &ExecutionRow,
        payload: &str,
    ) -> Result<bool, StoreError> {
        let statement = format!(
            "INSERT INTO execution ({COLUMNS}, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
             ON CONFLICT (parent_call) DO NOTHING"
        );
        let inserted = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(row.execution_id)
            .bind(row.catalog_id)
            .bind(&row.path)
            .bind(row.version)
            .bind(row.status.as_str())
            .bind(&row.target)
            .bind(row.parent_execution_id)
            .bind(&row.parent_call)
            .bind(&row.current_step)
            .bind(row.progress)
            .bind(&row.result)
            .bind(&row.error)
            .bind(row.start_time)
            .bind(row.end_time)
            .bind(row.last_event_id)
            .bind(payload)
            .execute(&mut **transaction)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// Returns an execution's row, and locks it for other servers until the transaction ends.
    pub(crate) async fn lock_execution(
        &self,
        transaction: &mut Write,
        execution_id: i64,
    ) -> Result<Option<ExecutionRow>, StoreError> {
        let lock = if self.is_postgres() { "FOR UPDATE" } else { "" };
        let statement = format!("SELECT {COLUMNS} FROM execution WHERE execution_id = $1 {lock}");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .fetch_optional(&mut **transaction)
            .await?;
        Ok(row)
    }

    pub(crate) async fn update_execution(
        transaction: &mut Write,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE execution SET status = $2, current_step = $3, progress = $4, result = $5, error = $6, end_time = $7, \
             last_event_id = $8 WHERE execution_id = $1",
        )
        .bind(progress.execution_id)
        .bind(progress.status.as_str())
        .bind(&progress.current_step)
        .bind(progress.progress)
        .bind(&progress.result)
        .bind(&progress.error)
        .bind(progress.end_time)
        .bind(progress.last_event_id)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Keeps what is asked of an execution after its end, both as JSON.
    pub(crate) async fn insert_ended(
        transaction: &mut Write,
        execution_id: i64,
        variables: &Extracted,
        steps: &str,
    ) -> Result<(), StoreError> {
        let contents = variables.store(transaction, execution_id, Column::Variables);
        let contents = to_column(&contents.await?);
        sqlx::query(
            "INSERT INTO ended (execution_id, variables, steps, contents) VALUES ($1, $2, $3, $4)",
        )
        .bind(execution_id)
        .bind(&variables.text)
        .bind(steps)
        .bind(contents)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Returns what was kept of an execution that has ended: its variables and the steps that ended well, as JSON.
    /// The third text refers to the large values of the variables.
    pub(crate) async fn ended(
        &self,
        execution_id: i64,
    ) -> Result<Option<(String, String, Option<String>)>, StoreError> {
        let found =
            sqlx::query_as("SELECT variables, steps, contents FROM ended WHERE execution_id = $1")
                .bind(execution_id)
                .fetch_optional(self.reader())
                .await?;
        Ok(found)
    }

    /// Returns the payload of an execution, a JSON object.
    pub(crate) async fn payload(
        connection: &mut AnyConnection,
        execution_id: i64,
    ) -> Result<Map<String, Json>, StoreError> {
        let (payload,): (String,) =
            sqlx::query_as("SELECT payload FROM execution WHERE execution_id = $1")
                .bind(execution_id)
                .fetch_one(connection)
                .await?;
        serde_json::from_str(&payload).map_err(|error| {
            StoreError::corrupt(format!("the payload of execution {execution_id}"), error)
        })
    }

    pub(crate) async fn execution(
        &self,
        execution_id: i64,
    ) -> Result<Option<ExecutionRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM execution WHERE execution_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    /// Returns the greatest id of an execution or of a playbook; 0 when there is none.
    pub(crate) async fn greatest_id(&self) -> Result<i64, StoreError> {
        let (execution, entry): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT MAX(execution_id) FROM execution), (SELECT MAX(catalog_id) FROM catalog)",
        )
        .fetch_one(self.reader())
        .await?;
        Ok(execution.max(entry).unwrap_or(0))
    }

    pub(crate) async fn execution_by_call(
        &self,
        parent_call: &str,
    ) -> Result<Option<ExecutionRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM execution WHERE parent_call = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(parent_call)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    /// Lists executions, newest first, and returns the number of all that match. Large results are named, not included,
    /// and long errors are cut.
    pub(crate) async fn executions(
        &self,
        filter: &ExecutionFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<ExecutionRow>, i64), StoreError> {
        let condition = "(CAST($1 AS TEXT) IS NULL OR status = $1) AND (CAST($2 AS TEXT) IS NULL OR path = $2) \
            AND (CAST($3 AS TEXT) IS NULL OR lower(path || ' ' || CAST(execution_id AS TEXT) || ' ' || COALESCE(error, '')) LIKE $3 ESCAPE '!') \
            AND (CAST($4 AS BIGINT) IS NULL OR catalog_id = $4) AND (CAST($5 AS BIGINT) IS NULL OR parent_execution_id = $5) \
            AND (CAST($6 AS BIGINT) IS NULL OR start_time >= $6) AND (CAST($7 AS BIGINT) IS NULL OR start_time < $7)";
        let text = filter.text.as_deref().map(like);
        let statement = format!(
            "SELECT {LIST_COLUMNS} FROM execution WHERE {condition} ORDER BY start_time DESC, execution_id DESC LIMIT $8 OFFSET $9"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(filter.status.map(ExecutionStatus::as_str))
            .bind(&filter.path)
            .bind(&text)
            .bind(filter.catalog_id)
            .bind(filter.parent)
            .bind(filter.since)
            .bind(filter.until)
            .bind(limit)
            .bind(offset)
            .fetch_all(self.reader())
            .await?;
        let statement = format!("SELECT COUNT(*) FROM execution WHERE {condition}");
        let (total,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(filter.status.map(ExecutionStatus::as_str))
            .bind(&filter.path)
            .bind(&text)
            .bind(filter.catalog_id)
            .bind(filter.parent)
            .bind(filter.since)
            .bind(filter.until)
            .fetch_one(self.reader())
            .await?;
        Ok((rows, total))
    }
}
