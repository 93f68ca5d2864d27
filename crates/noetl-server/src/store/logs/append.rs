//! Keeps lines: cuts them into chunks, numbers them, and makes room within the bound.

use noetl_api::log::{AttemptLog, LogEntry, LogStream};

use crate::store::error::StoreError;
use crate::store::row::from_row;
use crate::store::write::Write;

/// The largest chunk, in bytes of its lines. One longer line is a chunk as well.
const CHUNK: usize = 64 << 10;
/// An attempt, as its row has it.
#[derive(Debug, Clone, Default)]
struct AttemptRow {
    log_id: i64,
    lines: i64,
    bytes: i64,
    dropped: i64,
    tail_bytes: i64,
    run: String,
    batch: i64,
}

from_row!(AttemptRow: log_id, lines, bytes, dropped, tail_bytes, run, batch);

/// A chunk that makes room.
struct OldRow {
    chunk: i64,
    lines: i64,
    bytes: i64,
}

from_row!(OldRow: chunk, lines, bytes);

/// Returns a line as its chunk has it. What would end the line, and the character that PostgreSQL's texts cannot have, are
/// replaced.
fn encode(entry: &LogEntry) -> String {
    let stream = match entry.stream {
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
        LogStream::Note => 'n',
    };
    let text = entry.text.replace(['\n', '\0'], "\u{fffd}");
    format!("{} {stream} {text}\n", entry.time)
}

/// Returns the lines in chunks, each with the number of its lines and their bytes.
fn chunks(lines: &[LogEntry], largest: usize) -> Vec<(String, i64, i64)> {
    let mut chunks: Vec<(String, i64, i64)> = Vec::new();
    for entry in lines {
        let bytes = entry.text.len() as i64 + 1;
        match chunks.last_mut() {
            Some((text, count, sum)) if *sum + bytes <= largest as i64 => {
                text.push_str(&encode(entry));
                *count += 1;
                *sum += bytes;
            }
            _ => chunks.push((encode(entry), 1, bytes)),
        }
    }
    chunks
}

/// Keeps the lines of one attempt, of which `limit` bytes are kept. Returns false when its execution does not exist.
pub(super) async fn append(
    transaction: &mut Write,
    execution_id: i64,
    log: &AttemptLog,
    limit: usize,
) -> Result<bool, StoreError> {
    let found: Option<AttemptRow> = sqlx::query_as(
        "SELECT log_id, lines, bytes, dropped, tail_bytes, run, batch FROM log_attempt \
         WHERE execution_id = $1 AND command_id = $2 AND attempt = $3",
    )
    .bind(execution_id)
    .bind(&log.command_id)
    .bind(i64::from(log.attempt))
    .fetch_optional(&mut **transaction)
    .await?;
    let is_known = |row: &AttemptRow| row.run == log.run && row.batch >= i64::from(log.batch);
    if log.batch > 0 && found.as_ref().is_some_and(is_known) {
        return Ok(true);
    }
    let half = (limit / 2) as i64;
    let chunks = chunks(&log.lines, CHUNK.min(limit / 8));
    // The row of the execution is locked until the end: chunks get their numbers in the order in which they can be read.
    let numbered: Option<(i64,)> = sqlx::query_as(
        "UPDATE execution SET log_chunks = log_chunks + $2 WHERE execution_id = $1 RETURNING log_chunks",
    )
    .bind(execution_id)
    .bind(chunks.len() as i64)
    .fetch_optional(&mut **transaction)
    .await?;
    let Some((last,)) = numbered else {
        return Ok(false);
    };
    let first = last - chunks.len() as i64 + 1;
    let is_new = found.is_none();
    let mut row = found.unwrap_or(AttemptRow {
        log_id: first,
        ..AttemptRow::default()
    });
    row.lines += i64::from(log.dropped);
    row.dropped += i64::from(log.dropped);
    for (chunk, (text, lines, bytes)) in (first..).zip(chunks) {
        let is_tail = row.tail_bytes > 0 || row.bytes + bytes > half;
        sqlx::query(
            "INSERT INTO log_chunk (execution_id, chunk, log_id, first_line, lines, bytes, is_tail, text) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(execution_id)
        .bind(chunk)
        .bind(row.log_id)
        .bind(row.lines + 1)
        .bind(lines)
        .bind(bytes)
        .bind(i64::from(is_tail))
        .bind(text)
        .execute(&mut **transaction)
        .await?;
        row.lines += lines;
        row.bytes += bytes;
        if is_tail {
            row.tail_bytes += bytes;
        }
    }
    if row.tail_bytes > half {
        make_room(transaction, execution_id, &mut row, half).await?;
    }
    put(transaction, execution_id, log, &row, is_new).await?;
    Ok(true)
}

/// Deletes the oldest chunks that are not an attempt's beginning, as long as those that are left have at least `half` bytes.
async fn make_room(
    transaction: &mut Write,
    execution_id: i64,
    row: &mut AttemptRow,
    half: i64,
) -> Result<(), StoreError> {
    loop {
        let old: Vec<OldRow> = sqlx::query_as(
            "SELECT chunk, lines, bytes FROM log_chunk WHERE execution_id = $1 AND log_id = $2 AND is_tail = 1 \
             ORDER BY chunk LIMIT 64",
        )
        .bind(execution_id)
        .bind(row.log_id)
        .fetch_all(&mut **transaction)
        .await?;
        let mut last = None;
        for old in &old {
            if row.tail_bytes - old.bytes < half {
                break;
            }
            row.tail_bytes -= old.bytes;
            row.dropped += old.lines;
            last = Some(old.chunk);
        }
        let Some(last) = last else {
            return Ok(());
        };
        sqlx::query(
            "DELETE FROM log_chunk WHERE execution_id = $1 AND log_id = $2 AND is_tail = 1 AND chunk <= $3",
        )
        .bind(execution_id)
        .bind(row.log_id)
        .bind(last)
        .execute(&mut **transaction)
        .await?;
        if old.len() < 64 {
            return Ok(());
        }
    }
}

async fn put(
    transaction: &mut Write,
    execution_id: i64,
    log: &AttemptLog,
    row: &AttemptRow,
    is_new: bool,
) -> Result<(), StoreError> {
    let statement = if is_new {
        "INSERT INTO log_attempt (execution_id, log_id, lines, bytes, dropped, tail_bytes, run, batch, \
         command_id, step, item, attempt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    } else {
        "UPDATE log_attempt SET lines = $3, bytes = $4, dropped = $5, tail_bytes = $6, run = $7, batch = $8 \
         WHERE execution_id = $1 AND log_id = $2"
    };
    let mut query = sqlx::query(statement)
        .bind(execution_id)
        .bind(row.log_id)
        .bind(row.lines)
        .bind(row.bytes)
        .bind(row.dropped)
        .bind(row.tail_bytes)
        .bind(&log.run)
        .bind(i64::from(log.batch));
    if is_new {
        query = query
            .bind(&log.command_id)
            .bind(&log.step)
            .bind(log.item.map(i64::from))
            .bind(i64::from(log.attempt));
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}
