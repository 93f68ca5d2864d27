//! The store: everything the server knows, in SQLite or PostgreSQL behind one schema.
//!
//! SQLite has one writing connection and a pool of readers on one file in WAL mode; PostgreSQL has one
//! pool. The statements are the same text for both.

mod catalog;
mod commands;
mod credentials;
mod events;
mod executions;
mod ids;
mod runtimes;
mod statistics;

use std::path::{Path, PathBuf};
use std::time::Duration;

use noetl_api::server::StorageKind;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};

pub(crate) use catalog::{CatalogEntry, CatalogFilter};
pub(crate) use commands::CommandRow;
pub(crate) use credentials::CredentialRow;
pub(crate) use events::{EventRow, NewEvent};
pub(crate) use executions::{ExecutionFilter, ExecutionRow, Progress};
pub(crate) use ids::Ids;
pub(crate) use runtimes::RuntimeRow;

const SCHEMA: &str = include_str!("schema.sql");
/// Tables that `db validate` looks for.
pub(crate) const TABLES: [&str; 8] = [
    "catalog",
    "command",
    "credential",
    "event",
    "execution",
    "runtime",
    "setting",
    "shard",
];
/// The version of [`SCHEMA`], kept in the table `setting`.
const SCHEMA_VERSION: &str = "1";

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL, which may hold a password and is never shown.
    Postgres {
        /// `postgres://…`
        url: String,
        /// The schema that the tables live in.
        schema: String,
    },
}

impl Storage {
    /// Which of the two it is.
    pub fn kind(&self) -> StorageKind {
        match self {
            Self::Sqlite(_) => StorageKind::Sqlite,
            Self::Postgres { .. } => StorageKind::Postgresql,
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Something in it is not what we wrote.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// It cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
}

impl StoreError {
    /// Whether a text was refused for its zero bytes, SQLSTATE `character_not_in_repertoire`.
    pub(crate) fn is_unstorable(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        error.code().as_deref() == Some("22021")
    }
}

/// The store, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    writer: AnyPool,
    reader: AnyPool,
    storage: Storage,
}

impl Store {
    /// Opens the store and brings its schema up to date.
    pub(crate) async fn open(storage: &Storage) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let store = match storage {
            Storage::Sqlite(path) => Self::sqlite(path).await?,
            Storage::Postgres { url, schema } => Self::postgres(url, schema).await?,
        };
        store.migrate().await?;
        Ok(store)
    }

    async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Payloads and results are nobody else's business; SQLite's other files take this one's mode.
            let mut options = std::fs::OpenOptions::new();
            let made = options.create_new(true).write(true).mode(0o600).open(path);
            drop(made);
        }
        let options = |mode: &str| -> Result<AnyConnectOptions, sqlx::Error> {
            // `?`, `#` and `%` of a path would be read as parts of the URL, `\\` and `C:` as a host.
            let text = path.to_string_lossy();
            let text = if cfg!(windows) {
                text.replace('\\', "/")
            } else {
                text.into_owned()
            };
            let text = text
                .replace('%', "%25")
                .replace('?', "%3F")
                .replace('#', "%23");
            format!("sqlite:{text}?mode={mode}").parse()
        };
        let pool = |size: u32, pragmas: &'static str| {
            AnyPoolOptions::new()
                .max_connections(size)
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection.execute(pragmas).await?;
                        Ok(())
                    })
                })
        };
        // NORMAL survives a killed process, and in WAL mode no crash can corrupt the file.
        let writer = pool(
            1,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=10000;",
        )
        .connect_with(options("rwc")?)
        .await?;
        let reader = pool(4, "PRAGMA busy_timeout=10000; PRAGMA query_only=ON;")
            .connect_with(options("rw")?)
            .await?;
        Ok(Self {
            writer,
            reader,
            storage: Storage::Sqlite(path.to_owned()),
        })
    }

    async fn postgres(url: &str, schema: &str) -> Result<Self, StoreError> {
        let valid = |character: char| character == '_' || character.is_ascii_alphanumeric();
        if schema.is_empty() || !schema.chars().all(valid) {
            return Err(StoreError::Unusable(format!(
                "`{schema}` is not a schema's name"
            )));
        }
        let options: AnyConnectOptions = url.parse()?;
        // A pool asks again until its patience ends, and then only says that it did.
        AnyConnection::connect_with(&options).await?.close().await?;
        let search_path =
            format!("SET search_path TO \"{schema}\", public; SET client_min_messages TO warning");
        let pool = AnyPoolOptions::new()
            .max_connections(12)
            .acquire_timeout(Duration::from_secs(15))
            .after_connect(move |connection, _| {
                let statement = search_path.clone();
                Box::pin(async move {
                    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        pool.execute(sqlx::AssertSqlSafe(format!(
            "CREATE SCHEMA IF NOT EXISTS \"{schema}\""
        )))
        .await?;
        Ok(Self {
            writer: pool.clone(),
            reader: pool,
            storage: Storage::Postgres {
                url: url.to_owned(),
                schema: schema.to_owned(),
            },
        })
    }

    /// Creates what is missing. Two servers that start at once take turns.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if self.is_postgres() {
            sqlx::query("SELECT pg_advisory_xact_lock(8082)::text")
                .fetch_one(&mut *transaction)
                .await?;
        }
        for statement in SCHEMA
            .split(";\n")
            .map(str::trim)
            .filter(|statement| !statement.is_empty())
        {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        let found: Option<(String,)> =
            sqlx::query_as("SELECT value FROM setting WHERE name = 'schema_version'")
                .fetch_optional(&mut *transaction)
                .await?;
        match found.as_ref().map(|(version,)| version.as_str()) {
            Some(SCHEMA_VERSION) => {}
            Some(other) => {
                return Err(StoreError::Unusable(format!(
                    "the store has schema {other}, and this NoETL reads {SCHEMA_VERSION}"
                )));
            }
            None => {
                sqlx::query("INSERT INTO setting (name, value) VALUES ('schema_version', $1)")
                    .bind(SCHEMA_VERSION)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.storage, Storage::Postgres { .. })
    }

    /// A transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.writer.begin().await?)
    }

    /// Connections that only read.
    fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// Those of [`TABLES`] that are not there.
    pub(crate) async fn missing_tables(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for table in TABLES {
            let probe = sqlx::AssertSqlSafe(format!("SELECT 1 FROM {table} LIMIT 1"));
            if sqlx::query(probe)
                .fetch_optional(self.reader())
                .await
                .is_err()
            {
                missing.push(table);
            }
        }
        missing
    }

    pub(crate) async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let found: Option<(String,)> = sqlx::query_as("SELECT value FROM setting WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        Ok(found.map(|(value,)| value))
    }

    /// Sets a value that has none yet.
    pub(crate) async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(value)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Closes every connection, so that SQLite folds its log into the file.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
