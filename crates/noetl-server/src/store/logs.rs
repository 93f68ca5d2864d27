//! What steps print: kept in chunks of lines, up to a bound for each attempt.

mod append;

use noetl_api::log::{AttemptLog, LogAttempt, LogLine, LogStream};

use self::append::append;
use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use crate::clock;

/// How many attempts a summary has at the most.
const MOST_ATTEMPTS: i64 = 10_000;
/// How many chunks are read at a time.
const PAGE: i64 = 16;
/// The bytes after which a page of lines ends.
const PAGE_BYTES: usize = 4 << 20;

/// Which lines are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogFilter {
    pub(crate) step: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) item: Option<u32>,
}

/// A place in the logs of an execution: after this many lines of this chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogPosition {
    chunk: i64,
    lines: usize,
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.chunk, self.lines)
    }
}

impl std::str::FromStr for LogPosition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (chunk, lines) = text.split_once('-').ok_or(())?;
        Ok(Self {
            chunk: chunk.parse().map_err(drop)?,
            lines: lines.parse().map_err(drop)?,
        })
    }
}

/// A chunk with the attempt that it belongs to.
struct ChunkRow {
    chunk: i64,
    step: String,
    item: Option<i64>,
    attempt: i64,
    first_line: i64,
    text: String,
}

from_row!(ChunkRow: chunk, step, item, attempt, first_line, text);

impl Store {
    /// Keeps lines of attempts, all or none of them. Of an attempt, `limit` bytes are kept: the first half of them, and the
    /// newest. Returns the executions that do not exist.
    pub(crate) async fn append_logs(
        &self,
        logs: &[(i64, &AttemptLog)],
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut unknown = Vec::new();
        for (execution_id, log) in logs {
            if !unknown.contains(execution_id)
                && !append(&mut transaction, *execution_id, log, limit).await?
            {
                unknown.push(*execution_id);
            }
        }
        transaction.commit().await?;
        Ok(unknown)
    }

    /// Returns the lines after a position, at the most `limit` and some megabytes of them, with the position after them and whether there are more.
    pub(crate) async fn log_lines(
        &self,
        execution_id: i64,
        filter: &LogFilter,
        mut after: LogPosition,
        limit: usize,
    ) -> Result<(Vec<LogLine>, LogPosition, bool), StoreError> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        loop {
            let rows = self.log_chunks(execution_id, filter, after).await?;
            let count = rows.len() as i64;
            for row in rows {
                let skipped = if row.chunk == after.chunk {
                    after.lines
                } else {
                    0
                };
                let text = row.text.strip_suffix('\n').unwrap_or(&row.text);
                for (index, line) in text.split('\n').enumerate().skip(skipped) {
                    if lines.len() == limit || bytes > PAGE_BYTES {
                        return Ok((lines, after, true));
                    }
                    bytes += line.len();
                    lines.push(row.line(index, line)?);
                    after = LogPosition {
                        chunk: row.chunk,
                        lines: index + 1,
                    };
                }
            }
            if count < PAGE {
                return Ok((lines, after, false));
            }
        }
    }

    async fn log_chunks(
        &self,
        execution_id: i64,
        filter: &LogFilter,
        after: LogPosition,
    ) -> Result<Vec<ChunkRow>, StoreError> {
        // The chunk of the position is read again: lines may have been skipped in it.
        let mut statement =
            "SELECT c.chunk, a.step, a.item, a.attempt, c.first_line, c.text FROM log_chunk c \
            JOIN log_attempt a ON a.execution_id = c.execution_id AND a.log_id = c.log_id \
            WHERE c.execution_id = $1 AND c.chunk >= $2"
                .to_owned();
        let mut number = 2;
        let mut condition = |column: &str, is_wanted: bool| {
            if is_wanted {
                number += 1;
                statement.push_str(&format!(" AND a.{column} = ${number}"));
            }
        };
        condition("step", filter.step.is_some());
        condition("attempt", filter.attempt.is_some());
        condition("item", filter.item.is_some());
        statement.push_str(&format!(" ORDER BY c.chunk LIMIT {PAGE}"));
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(execution_id)
            .bind(after.chunk);
        if let Some(step) = &filter.step {
            query = query.bind(step);
        }
        for number in [filter.attempt, filter.item].into_iter().flatten() {
            query = query.bind(i64::from(number));
        }
        Ok(query.fetch_all(self.reader()).await?)
    }

    /// Returns what the attempts of an execution, or of one of its steps, have printed.
    pub(crate) async fn log_attempts(
        &self,
        execution_id: i64,
        step: Option<&str>,
    ) -> Result<Vec<LogAttempt>, StoreError> {
        let rows: Vec<SummaryRow> = sqlx::query_as(
            "SELECT step, item, attempt, lines, bytes, dropped FROM log_attempt \
             WHERE execution_id = $1 AND (CAST($2 AS TEXT) IS NULL OR step = $2) ORDER BY log_id LIMIT $3",
        )
        .bind(execution_id)
        .bind(step)
        .bind(MOST_ATTEMPTS)
        .fetch_all(self.reader())
        .await?;
        let attempt = |row: SummaryRow| LogAttempt {
            step: row.step,
            item: row.item.and_then(|item| item.try_into().ok()),
            attempt: row.attempt.try_into().unwrap_or(u32::MAX),
            lines: row.lines,
            bytes: row.bytes,
            dropped: row.dropped,
        };
        Ok(rows.into_iter().map(attempt).collect())
    }
}

/// An attempt in a summary.
struct SummaryRow {
    step: String,
    item: Option<i64>,
    attempt: i64,
    lines: i64,
    bytes: i64,
    dropped: i64,
}

from_row!(SummaryRow: step, item, attempt, lines, bytes, dropped);

impl ChunkRow {
    /// Reads the line at this index of the chunk.
    fn line(&self, index: usize, line: &str) -> Result<LogLine, StoreError> {
        let corrupt = || StoreError::corrupt(format!("chunk {} of a log", self.chunk), "no line");
        let (time, rest) = line.split_once(' ').ok_or_else(corrupt)?;
        let (stream, text) = rest.split_once(' ').ok_or_else(corrupt)?;
        Ok(LogLine {
            step: self.step.clone(),
            item: self.item.and_then(|item| item.try_into().ok()),
            attempt: self.attempt.try_into().unwrap_or(u32::MAX),
            line: self.first_line + index as i64,
            time: clock::rfc3339(time.parse().map_err(|_| corrupt())?),
            stream: match stream {
                "o" => LogStream::Stdout,
                "e" => LogStream::Stderr,
                "n" => LogStream::Note,
                _ => return Err(corrupt()),
            },
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
