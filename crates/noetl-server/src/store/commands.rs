//! The queue of commands: which worker holds which command, and until when.

use super::database::Store;
use super::error::StoreError;
use super::row::from_row;
use super::write::Write;

/// How long a claim holds without a heartbeat, in milliseconds.
pub(crate) const LEASE_MS: i64 = 30_000;

/// After how many lost holders a command is not given to another one.
pub(crate) const MOST_LOSSES: i64 = 3;

/// What kind of worker holds a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HolderKind {
    /// A server's own worker, which ends with the server.
    Server,
    /// A worker that asks over HTTP.
    Worker,
}

impl HolderKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Worker => "worker",
        }
    }
}

/// A worker that holds a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder<'a> {
    pub(crate) kind: HolderKind,
    pub(crate) name: &'a str,
}

impl<'a> Holder<'a> {
    /// Returns a server's own worker.
    pub(crate) const fn server(name: &'a str) -> Self {
        let kind = HolderKind::Server;
        Self { kind, name }
    }

    /// Returns a worker that asks over HTTP.
    pub(crate) const fn worker(name: &'a str) -> Self {
        let kind = HolderKind::Worker;
        Self { kind, name }
    }
}

/// A command without an outcome.
#[derive(Debug, Clone)]
pub(crate) struct CommandRow {
    pub(crate) command_id: String,
    pub(crate) execution_id: i64,
    pub(crate) event_id: i64,
    pub(crate) step: String,
    /// The name of the worker that holds it.
    pub(crate) worker_id: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) not_before: i64,
    /// How many of its holders ended before its outcome was stored.
    pub(crate) lost: i64,
}

from_row!(
    CommandRow:
    command_id, execution_id, event_id, step, worker_id, lease_until, not_before, lost
);

/// A command that may be claimed.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) command_id: String,
    pub(crate) execution_id: i64,
}

from_row!(Due: command_id, execution_id);

const COLUMNS: &str =
    "command_id, execution_id, event_id, step, worker_id, lease_until, not_before, lost";
/// How many commands one statement inserts: SQLite limits the number of parameters.
const BATCH: usize = 64;

/// How long a command of a lost server is not claimed, in milliseconds for each time: meanwhile, the server can be
/// asked to cancel it.
const PAUSE_MS: i64 = 1_000;

impl Store {
    /// Adds commands. Those that have a worker are held by a server's own.
    pub(crate) async fn insert_commands(
        transaction: &mut Write,
        commands: &[CommandRow],
    ) -> Result<(), StoreError> {
        for batch in commands.chunks(BATCH) {
            let rows: Vec<String> = (0..batch.len())
                .map(|row| {
                    let places: Vec<_> = (1..=9)
                        .map(|column| format!("${}", row * 9 + column))
                        .collect();
                    format!("({})", places.join(", "))
                })
                .collect();
            let statement = format!(
                "INSERT INTO command ({COLUMNS}, holder) VALUES {}",
                rows.join(", ")
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
            for command in batch {
                query = query
                    .bind(&command.command_id)
                    .bind(command.execution_id)
                    .bind(command.event_id)
                    .bind(&command.step)
                    .bind(&command.worker_id)
                    .bind(command.lease_until)
                    .bind(command.not_before)
                    .bind(command.lost)
                    .bind(
                        command
                            .worker_id
                            .as_ref()
                            .map(|_| HolderKind::Server.as_str()),
                    );
            }
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Assigns a command to a worker, and returns how many holders it has lost before. Returns none when another
    /// worker holds it.
    pub(crate) async fn claim(
        transaction: &mut Write,
        command_id: &str,
        holder: Holder<'_>,
        now: i64,
        lease_until: i64,
    ) -> Result<Option<i64>, StoreError> {
        let taken: Option<(i64,)> = sqlx::query_as(
            "UPDATE command SET worker_id = $2, lease_until = $3, holder = $5, \
             lost = lost + CASE WHEN worker_id IS NULL THEN 0 ELSE 1 END WHERE command_id = $1 \
             AND (worker_id IS NULL OR lease_until < $4) RETURNING lost",
        )
        .bind(command_id)
        .bind(holder.name)
        .bind(lease_until)
        .bind(now)
        .bind(holder.kind.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
        Ok(taken.map(|(lost,)| lost))
    }

    pub(crate) async fn delete_command(
        transaction: &mut Write,
        command_id: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM command WHERE command_id = $1")
            .bind(command_id)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_commands_of(
        transaction: &mut Write,
        execution_id: i64,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM command WHERE execution_id = $1")
            .bind(execution_id)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Returns the ids of an execution's commands.
    pub(crate) async fn commands_of(
        transaction: &mut Write,
        execution_id: i64,
    ) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT command_id FROM command WHERE execution_id = $1")
                .bind(execution_id)
                .fetch_all(&mut **transaction)
                .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// As [`Self::command`], inside a transaction.
    pub(crate) async fn command_in(
        transaction: &mut Write,
        command_id: &str,
    ) -> Result<Option<CommandRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM command WHERE command_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(command_id)
            .fetch_optional(&mut **transaction)
            .await?;
        Ok(row)
    }

    /// Returns a command that has no outcome yet.
    pub(crate) async fn command(&self, command_id: &str) -> Result<Option<CommandRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM command WHERE command_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(command_id)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    pub(crate) async fn command_by_event(
        &self,
        event_id: i64,
    ) -> Result<Option<CommandRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM command WHERE event_id = $1");
        let row = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(event_id)
            .fetch_optional(self.reader())
            .await?;
        Ok(row)
    }

    /// Returns commands that may be claimed now, oldest first.
    pub(crate) async fn due(&self, now: i64, limit: i64) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT command_id, execution_id FROM command WHERE not_before <= $1 \
             AND (worker_id IS NULL OR lease_until < $1) ORDER BY event_id LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(rows)
    }

    /// Returns the time at which the next command becomes due.
    pub(crate) async fn next_due(&self, now: i64) -> Result<Option<i64>, StoreError> {
        let (next,): (Option<i64>,) = sqlx::query_as(
            "SELECT MIN(CASE WHEN worker_id IS NULL THEN not_before ELSE lease_until + 1 END) FROM command \
             WHERE (worker_id IS NULL AND not_before > $1) OR (worker_id IS NOT NULL AND lease_until >= $1)",
        )
        .bind(now)
        .fetch_one(self.reader())
        .await?;
        Ok(next)
    }

    /// Extends the leases of a worker's commands. Returns the commands that it no longer holds.
    pub(crate) async fn renew(
        &self,
        worker_id: &str,
        command_ids: &[String],
        lease_until: i64,
    ) -> Result<Vec<String>, StoreError> {
        let mut lost = Vec::new();
        if command_ids.is_empty() {
            return Ok(lost);
        }
        let mut transaction = self.begin().await?;
        for command_id in command_ids {
            let renewed = sqlx::query(
                "UPDATE command SET lease_until = $3 WHERE command_id = $1 AND worker_id = $2",
            )
            .bind(command_id)
            .bind(worker_id)
            .bind(lease_until)
            .execute(&mut *transaction)
            .await?;
            if renewed.rows_affected() == 0 {
                lost.push(command_id.clone());
            }
        }
        transaction.commit().await?;
        Ok(lost)
    }

    /// Gives back the commands of a worker that stops.
    pub(crate) async fn release(&self, worker_id: &str) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let released = sqlx::query(
            "UPDATE command SET worker_id = NULL, lease_until = NULL, holder = NULL WHERE worker_id = $1",
        )
        .bind(worker_id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(released.rows_affected())
    }

    /// Corrects times that are too far ahead because the system's clock was set back while no server ran.
    pub(crate) async fn bound_times(&self, now: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE command SET lease_until = $1 WHERE lease_until > $1")
            .bind(now + LEASE_MS)
            .execute(&mut *transaction)
            .await?;
        let issued = "(SELECT e.created_at FROM event e WHERE e.execution_id = command.execution_id \
                      AND e.event_id = command.event_id)";
        let statement = format!(
            "UPDATE command SET not_before = $1 + not_before - {issued} WHERE not_before > $1 AND {issued} > $1"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Takes the commands of servers that have ended without giving them back.
    pub(crate) async fn release_lost_servers(&self, now: i64) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let released = sqlx::query(
            "UPDATE command SET worker_id = NULL, lease_until = NULL, holder = NULL, lost = lost + 1, \
             not_before = $2 + (lost + 1) * $3 WHERE holder = $1",
        )
        .bind(HolderKind::Server.as_str())
        .bind(now)
        .bind(PAUSE_MS)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(released.rows_affected())
    }

    /// Returns how many commands wait for a worker, and how many a worker holds.
    pub(crate) async fn queue_depth(&self, now: i64) -> Result<(i64, i64), StoreError> {
        let (waiting, running): (i64, i64) = sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(CASE WHEN worker_id IS NULL OR lease_until < $1 THEN 1 ELSE 0 END), 0) AS BIGINT), \
             CAST(COALESCE(SUM(CASE WHEN worker_id IS NOT NULL AND lease_until >= $1 THEN 1 ELSE 0 END), 0) AS BIGINT) FROM command",
        )
        .bind(now)
        .fetch_one(self.reader())
        .await?;
        Ok((waiting, running))
    }
}
