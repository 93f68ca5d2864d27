//! The event log.

use noetl_api::EventStatus;
use noetl_api::execution::OmittedValue;
use serde_json::Value as Json;
use sqlx::AnyConnection;

use super::contents::{Column, references};
use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use super::write::Write;

/// An event of the log.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) execution_id: i64,
    pub(crate) event_id: i64,
    pub(crate) catalog_id: i64,
    pub(crate) event_type: String,
    pub(crate) node_id: Option<String>,
    pub(crate) node_name: Option<String>,
    pub(crate) status: EventStatus,
    pub(crate) context: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) meta: Option<String>,
    /// Which large values belong into the context, result and meta: a JSON list of references.
    pub(crate) contents: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) created_at: i64,
}

from_row!(
    EventRow:
    execution_id, event_id, catalog_id, event_type, node_id, node_name, status as String,
    context, result, error, meta, contents, duration_ms, created_at
);

/// How many events are read at once where all are needed, one after the other.
pub(crate) const PAGE: usize = 1000;

const COLUMNS: &str = "execution_id, event_id, catalog_id, event_type, node_id, node_name, status, context, \
                       result, error, meta, contents, duration_ms, created_at";
const COLUMN_COUNT: usize = 14;
/// The same, without results and contexts of more than 16 KiB.
const HEAD_COLUMNS: &str = "execution_id, event_id, catalog_id, event_type, node_id, node_name, status, \
    CASE WHEN OCTET_LENGTH(context) <= 16384 THEN context END AS context, CAST(NULL AS TEXT) AS result, error, \
    meta, CAST(NULL AS TEXT) AS contents, duration_ms, created_at";
/// The bytes of an event's texts.
const BYTES: &str = "CAST(COALESCE(OCTET_LENGTH(context), 0) + COALESCE(OCTET_LENGTH(result), 0) \
    + COALESCE(OCTET_LENGTH(error), 0) + COALESCE(OCTET_LENGTH(meta), 0) \
    + COALESCE(OCTET_LENGTH(contents), 0) AS BIGINT)";
/// The most bytes of one page of events: each subscriber and each answer holds one.
const PAGE_BYTES: i64 = 1 << 20;
/// How many events one statement inserts: SQLite limits the number of parameters.
const BATCH: usize = 64;

/// Returns how many of these events, by id and bytes, are within [`PAGE_BYTES`]; at least one.
fn count_within(sizes: &[(i64, i64)]) -> usize {
    let mut bytes = 0;
    let within = sizes.iter().take_while(|(_, size)| {
        bytes += size;
        bytes <= PAGE_BYTES
    });
    within.count().max(1).min(sizes.len())
}

impl EventRow {
    /// Returns the text of a column with its large values.
    pub(crate) async fn whole(
        &self,
        connection: &mut AnyConnection,
        column: Column,
    ) -> Result<Option<String>, StoreError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        let references = references(self.contents.as_deref(), column, text)?;
        Store::whole(connection, self.execution_id, text.to_owned(), &references)
            .await
            .map(Some)
    }

    /// Returns the text of a column, with `null` in the place of large values.
    pub(crate) fn text(&self, column: Column) -> Option<&str> {
        match column {
            Column::Context => self.context.as_deref(),
            Column::Result => self.result.as_deref(),
            Column::Meta => self.meta.as_deref(),
            Column::Variables => None,
        }
    }
}

impl Store {
    pub(crate) async fn insert_events(
        transaction: &mut Write,
        events: &[EventRow],
    ) -> Result<(), StoreError> {
        for batch in events.chunks(BATCH) {
            let rows: Vec<String> = (0..batch.len())
                .map(|row| {
                    let places: Vec<_> = (1..=COLUMN_COUNT)
                        .map(|column| format!("${}", row * COLUMN_COUNT + column))
                        .collect();
                    format!("({})", places.join(", "))
                })
                .collect();
            let statement = format!("INSERT INTO event ({COLUMNS}) VALUES {}", rows.join(", "));
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
            for event in batch {
                query = query
                    .bind(event.execution_id)
                    .bind(event.event_id)
                    .bind(event.catalog_id)
                    .bind(&event.event_type)
                    .bind(&event.node_id)
                    .bind(&event.node_name)
                    .bind(event.status.as_str())
                    .bind(&event.context)
                    .bind(&event.result)
                    .bind(&event.error)
                    .bind(&event.meta)
                    .bind(&event.contents)
                    .bind(event.duration_ms)
                    .bind(event.created_at);
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Returns a page of an execution's events, newest first, and the number of all events. Of events beyond
    /// [`PAGE_BYTES`], context and result are left out, and their context says so.
    pub(crate) async fn events_page(
        &self,
        execution_id: i64,
        event_type: Option<&str>,
        since: Option<i64>,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<EventRow>, i64), StoreError> {
        let filter = "execution_id = $1 AND (CAST($2 AS TEXT) IS NULL OR event_type = $2) \
                      AND (CAST($3 AS BIGINT) IS NULL OR event_id > $3)";
        let statement = format!(
            "SELECT event_id, {BYTES} FROM event WHERE {filter} ORDER BY event_id DESC LIMIT $4 OFFSET $5"
        );
        let sizes: Vec<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(event_type)
            .bind(since)
            .bind(limit)
            .bind(offset)
            .fetch_all(self.reader())
            .await?;
        let (whole, heads) = sizes.split_at(count_within(&sizes));
        let mut rows = Vec::with_capacity(sizes.len());
        for (part, columns) in [(whole, COLUMNS), (heads, HEAD_COLUMNS)] {
            let (Some((newest, _)), Some((oldest, _))) = (part.first(), part.last()) else {
                continue;
            };
            let statement = format!(
                "SELECT {columns} FROM event WHERE {filter} AND event_id <= $4 AND event_id >= $5 ORDER BY event_id DESC"
            );
            let found: Vec<EventRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(execution_id)
                .bind(event_type)
                .bind(since)
                .bind(newest)
                .bind(oldest)
                .fetch_all(self.reader())
                .await?;
            rows.extend(found);
        }
        for (row, (_, bytes)) in rows.iter_mut().zip(&sizes).skip(whole.len()) {
            let before = row.event_id.saturating_sub(1);
            let href = format!("/api/executions/{execution_id}/events?after={before}&limit=1");
            let omitted = OmittedValue::new(usize::try_from(*bytes).unwrap_or_default(), href);
            row.context = Some(Json::from(omitted).to_string());
        }
        let statement = format!("SELECT COUNT(*) FROM event WHERE {filter}");
        let (total,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(event_type)
            .bind(since)
            .fetch_one(self.reader())
            .await?;
        Ok((rows, total))
    }

    /// Returns the events after one, oldest first: at most `limit`, and no more than fit into [`PAGE_BYTES`] unless the
    /// first is larger.
    pub(crate) async fn events_after(
        &self,
        execution_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let statement = format!(
            "SELECT event_id, {BYTES} FROM event WHERE execution_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3"
        );
        let sizes: Vec<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after)
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        let Some((last, _)) = count_within(&sizes).checked_sub(1).map(|last| sizes[last]) else {
            return Ok(Vec::new());
        };
        let statement = format!(
            "SELECT {COLUMNS} FROM event WHERE execution_id = $1 AND event_id > $2 AND event_id <= $3 ORDER BY event_id"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after)
            .bind(last)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns the events of an execution after one, at most [`PAGE`], without results and with contexts that are small.
    pub(crate) async fn event_heads(
        &self,
        execution_id: i64,
        after: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let statement = format!(
            "SELECT {HEAD_COLUMNS} FROM event WHERE execution_id = $1 AND event_id > $2 ORDER BY event_id LIMIT {PAGE}"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns the inputs of an execution's machine after an event, at most [`PAGE`], in order. All of them restore it.
    pub(crate) async fn inputs(
        connection: &mut AnyConnection,
        execution_id: i64,
        after: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM event WHERE execution_id = $1 AND event_id > $2 \
             AND (meta IS NOT NULL OR event_type = 'command.claimed') ORDER BY event_id LIMIT {PAGE}"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after)
            .fetch_all(connection)
            .await?;
        Ok(rows)
    }

    /// Returns the events that say which calls were issued and how they and their steps ended, without what the calls returned,
    /// after an event, at most [`PAGE`], in order.
    pub(crate) async fn course(
        connection: &mut AnyConnection,
        execution_id: i64,
        after: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM event WHERE execution_id = $1 AND event_id > $2 \
             AND event_type IN ('command.issued', 'command.completed', 'command.failed', 'call.retried', 'loop.item', \
             'step.exit', 'workflow.failed', 'vars.set') ORDER BY event_id LIMIT {PAGE}"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after)
            .fetch_all(connection)
            .await?;
        Ok(rows)
    }

    /// Returns the event of a command's outcome, if the log has one.
    pub(crate) async fn outcome_event(
        &self,
        execution_id: i64,
        command_id: &str,
    ) -> Result<Option<i64>, StoreError> {
        let found: Option<(i64,)> = sqlx::query_as(
            "SELECT event_id FROM event WHERE execution_id = $1 AND node_id = $2 \
             AND event_type IN ('call.done', 'call.error', 'sink.executed', 'sink.failed') LIMIT 1",
        )
        .bind(execution_id)
        .bind(command_id)
        .fetch_optional(self.reader())
        .await?;
        Ok(found.map(|(event_id,)| event_id))
    }

    /// Whether an execution's log holds an event.
    pub(crate) async fn has_event(
        &self,
        execution_id: i64,
        event_id: i64,
    ) -> Result<bool, StoreError> {
        let found: Option<(i64,)> =
            sqlx::query_as("SELECT event_id FROM event WHERE execution_id = $1 AND event_id = $2")
                .bind(execution_id)
                .bind(event_id)
                .fetch_optional(self.reader())
                .await?;
        Ok(found.is_some())
    }

    /// Returns the event with the result of an execution or, with `step`, of one of its steps.
    pub(crate) async fn result_event(
        &self,
        execution_id: i64,
        step: Option<&str>,
    ) -> Result<Option<EventRow>, StoreError> {
        let which = match step {
            Some(_) => "node_name = $2 AND event_type IN ('call.done', 'loop.done')",
            None => "CAST($2 AS TEXT) IS NULL AND event_type = 'playbook.completed'",
        };
        let statement = format!(
            "SELECT {COLUMNS} FROM event WHERE execution_id = $1 AND {which} ORDER BY event_id DESC LIMIT 1"
        );
        let found = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(step)
            .fetch_optional(self.reader())
            .await?;
        Ok(found)
    }

    /// Returns the result of an execution, or of one of its steps.
    pub(crate) async fn final_result(
        &self,
        execution_id: i64,
        step: Option<&str>,
    ) -> Result<Json, StoreError> {
        let Some(row) = self.result_event(execution_id, step).await? else {
            return Ok(Json::Null);
        };
        let connection = &mut *self.read().await?;
        let text = row.whole(connection, Column::Result).await?;
        match text {
            None => Ok(Json::Null),
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                StoreError::corrupt(format!("the result of execution {execution_id}"), error)
            }),
        }
    }
}
