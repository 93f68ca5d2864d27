//! The versions of the schema: numbered files of SQL, each applied once, in its own transaction.
//!
//! A new version is a new file and a new line in [`MIGRATIONS`]; a released file does not change. Statements end
//! with a semicolon at the end of a line. Statements that create something say `IF NOT EXISTS`, so that
//! [`repair`] can run them again; it ignores the failure of an `ALTER TABLE`, which an existing table has had before.

#[cfg(test)]
mod tests;

use noetl_api::server::StorageKind;
use sqlx::Executor as _;

use super::error::StoreError;
use super::write::{Write, Writer};

/// A change of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// The version of the schema once it is applied: 1, 2, 3, …
    pub(super) version: i64,
    /// SQL that SQLite and PostgreSQL both understand.
    pub(super) sql: &'static str,
}

/// Every change since the first version, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("migrations/0001_initial.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("migrations/0002_holders.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("migrations/0003_sessions.sql"),
    },
    Migration {
        version: 4,
        sql: include_str!("migrations/0004_ended.sql"),
    },
    Migration {
        version: 5,
        sql: include_str!("migrations/0005_contents.sql"),
    },
    Migration {
        version: 6,
        sql: include_str!("migrations/0006_lists.sql"),
    },
    Migration {
        version: 7,
        sql: include_str!("migrations/0007_logs.sql"),
    },
    Migration {
        version: 8,
        sql: include_str!("migrations/0008_runs.sql"),
    },
    Migration {
        version: 9,
        sql: include_str!("migrations/0009_retries.sql"),
    },
];

/// The table that contains the version, which exists before the first migration.
const SETTINGS: &str =
    "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)";

/// Brings the schema to the newest version. Servers that start at the same time wait for each other.
///
/// # Errors
/// When the schema is newer than the newest migration, or when a migration fails; the schema then has the
/// version before that migration.
pub(super) async fn migrate(
    writer: &Writer,
    kind: StorageKind,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let known = migrations.last().map_or(0, |last| last.version);
    let mut first = None;
    loop {
        let mut transaction = begin(writer, kind).await?;
        let found = version(&mut transaction).await?;
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        let next = migrations.iter().find(|next| next.version > found);
        if let Some(next) = next {
            apply(&mut transaction, next, Altered::Never).await?;
            // A new store has had no version before.
            if *first.get_or_insert(found) > 0 {
                tracing::info!(
                    from = found,
                    to = next.version,
                    "the store's schema is migrated"
                );
            }
        }
        transaction.commit().await?;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// Creates missing tables and indexes of the newest version again.
pub(super) async fn repair(
    writer: &Writer,
    kind: StorageKind,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let mut transaction = begin(writer, kind).await?;
    for migration in migrations {
        apply(&mut transaction, migration, Altered::Perhaps).await?;
    }
    transaction.commit().await
}

async fn begin(writer: &Writer, kind: StorageKind) -> Result<Write, StoreError> {
    let mut transaction = writer.begin().await?;
    if kind == StorageKind::Postgresql {
        sqlx::query("SELECT pg_advisory_xact_lock(8082)::text")
            .fetch_one(&mut *transaction)
            .await?;
    }
    sqlx::query(SETTINGS).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Returns the version of the schema; 0 when there is none yet.
async fn version(transaction: &mut Write) -> Result<i64, StoreError> {
    let found: Option<(String,)> =
        sqlx::query_as("SELECT value FROM setting WHERE name = 'schema_version'")
            .fetch_optional(&mut **transaction)
            .await?;
    let Some((text,)) = found else { return Ok(0) };
    text.parse()
        .map_err(|_| StoreError::corrupt("the schema's version", format!("it is `{text}`")))
}

/// Whether the tables may have been altered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Altered {
    Never,
    Perhaps,
}

async fn apply(
    transaction: &mut Write,
    migration: &Migration,
    altered: Altered,
) -> Result<(), StoreError> {
    let statements = migration.sql.split(";\n").map(str::trim);
    for statement in statements.filter(|statement| !statement.is_empty()) {
        if altered == Altered::Perhaps && statement.contains("ALTER TABLE") {
            transaction.execute("SAVEPOINT alter_table").await?;
            if transaction.execute(statement).await.is_err() {
                transaction.execute("ROLLBACK TO alter_table").await?;
            }
            transaction.execute("RELEASE alter_table").await?;
        } else {
            transaction.execute(statement).await?;
        }
    }
    sqlx::query(
        "INSERT INTO setting (name, value) VALUES ('schema_version', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(migration.version.to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
