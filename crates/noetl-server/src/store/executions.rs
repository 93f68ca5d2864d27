//! Executions: one row for each, which agrees with the event log.

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value as Json};
use sqlx::AnyConnection;

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
    /// The execution whose results it began with.
    pub(crate) retried_id: Option<i64>,
    /// The execution whose id templates see, when that is another one.
    pub(crate) first_id: Option<i64>,
}

impl ExecutionRow {
    /// Returns the id that templates and code see.
    pub(crate) fn shown_id(&self) -> i64 {
        self.first_id.unwrap_or(self.execution_id)
    }
}

from_row!(
    ExecutionRow:
    execution_id, catalog_id, path, version, status as String, target, parent_execution_id,
    parent_call, current_step, progress, result, error, start_time, end_time, last_event_id,
    retried_id, first_id
);

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
                       parent_call, current_step, progress, result, error, start_time, end_time, last_event_id, retried_id, first_id";

impl Store {
    /// Adds an execution with its payload, a JSON object. Returns false when one with the same `parent_call` exists.
    pub(crate) async fn insert_execution(
        transaction: &mut Write,
        row: &ExecutionRow,
        payload: &str,
    ) -> Result<bool, StoreError> {
        let statement = format!(
            "INSERT INTO execution ({COLUMNS}, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
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
            .bind(row.retried_id)
            .bind(row.first_id)
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
}
