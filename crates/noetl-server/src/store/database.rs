//! Connections to the database, its tables and its settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _};

use super::error::StoreError;
use super::migrate::{MIGRATIONS, Migration, migrate, repair};
use super::storage::Storage;
use super::write::{Write, Writer};
use crate::clock::{self, LeaseClock};

/// Tables that `db validate` looks for.
pub(crate) const TABLES: [&str; 13] = [
    "catalog",
    "command",
    "content",
    "credential",
    "ended",
    "event",
    "execution",
    "log_attempt",
    "log_chunk",
    "runtime",
    "session",
    "setting",
    "shard",
];

/// The store, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    writer: Writer,
    reader: AnyPool,
    storage: Storage,
    clock: Arc<LeaseClock>,
}

impl Store {
    /// Opens the store and brings its schema to the newest version.
    pub(crate) async fn open(storage: &Storage) -> Result<Self, StoreError> {
        Self::open_with(storage, MIGRATIONS).await
    }

    pub(super) async fn open_with(
        storage: &Storage,
        migrations: &[Migration],
    ) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let store = match storage {
            Storage::Sqlite(path) => Self::sqlite(path).await?,
            Storage::Postgres { url, schema } => Self::postgres(url, schema).await?,
        };
        migrate(&store.writer, storage.kind(), migrations).await?;
        Ok(store)
    }

    async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Payloads and results are private. SQLite gives its other files the mode of this one.
            let mut options = std::fs::OpenOptions::new();
            let made = options.create_new(true).write(true).mode(0o600).open(path);
            drop(made);
        }
        let writer = Writer::sqlite(sqlite_options(path, "rwc")?);
        // The file is made, and its first page read, before there are readers: they would try again until a timeout
        // and then not have the reason.
        writer.begin().await?.rollback().await;
        let reader = AnyPoolOptions::new()
            .max_connections(4)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    let pragmas = "PRAGMA busy_timeout=10000; PRAGMA query_only=ON;";
                    connection.execute(pragmas).await?;
                    Ok(())
                })
            })
            .connect_with(sqlite_options(path, "rw")?)
            .await?;
        Ok(Self {
            writer,
            reader,
            storage: Storage::Sqlite(path.to_owned()),
            clock: Arc::new(LeaseClock::new(clock::now_ms())),
        })
    }

    async fn postgres(url: &str, schema: &str) -> Result<Self, StoreError> {
        let valid = |character: char| character == '_' || character.is_ascii_alphanumeric();
        if schema.is_empty() || !schema.chars().all(valid) {
            return Err(StoreError::Unusable(format!(
                "`{schema}` is not the name of a schema"
            )));
        }
        let options: AnyConnectOptions = url.parse()?;
        // A pool tries again until its timeout and then reports the timeout only, not the reason.
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
        let clock = LeaseClock::new(postgres_time(&pool).await?);
        Ok(Self {
            writer: Writer::Pool(pool.clone()),
            reader: pool,
            clock: Arc::new(clock),
            storage: Storage::Postgres {
                url: url.to_owned(),
                schema: schema.to_owned(),
            },
        })
    }

    /// Brings the schema to the newest version, and creates again what was lost of it.
    pub(crate) async fn complete_schema(&self) -> Result<(), StoreError> {
        migrate(&self.writer, self.storage.kind(), MIGRATIONS).await?;
        if !self.missing_tables().await.is_empty() {
            repair(&self.writer, self.storage.kind(), MIGRATIONS).await?;
        }
        Ok(())
    }

    /// The clock of leases and delays. Servers of one database share it.
    pub(crate) fn clock(&self) -> &LeaseClock {
        &self.clock
    }

    /// Sets the clock to the database's time, when that has a clock.
    pub(super) async fn set_clock(&self) -> Result<(), StoreError> {
        if self.is_postgres() {
            self.clock.set(postgres_time(&self.reader).await?);
        }
        Ok(())
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.storage, Storage::Postgres { .. })
    }

    /// Begins a transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Write, StoreError> {
        self.writer.begin().await
    }

    /// A connection that only reads.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.reader.acquire().await?)
    }

    /// Connections that only read.
    pub(super) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// Returns the tables of [`TABLES`] that do not exist.
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

    /// Returns a setting of a store that exists already. Without such a store, or when it cannot be read, there is none;
    /// opening the store then has the reason. Writes nothing.
    pub(crate) async fn kept_setting(storage: &Storage, name: &str) -> Option<String> {
        sqlx::any::install_default_drivers();
        let (options, table) = match storage {
            Storage::Sqlite(path) if path.is_file() => {
                (sqlite_options(path, "rw").ok()?, "setting".to_owned())
            }
            Storage::Sqlite(_) => return None,
            Storage::Postgres { url, schema } => (
                url.parse().ok()?,
                format!("\"{}\".setting", schema.replace('"', "")),
            ),
        };
        let mut connection = AnyConnection::connect_with(&options).await.ok()?;
        let statement = format!("SELECT value FROM {table} WHERE name = $1");
        let found = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(name)
            .fetch_optional(&mut connection)
            .await;
        drop(connection.close().await);
        let found: Option<(String,)> = found.ok()?;
        found.map(|(value,)| value)
    }

    pub(crate) async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let found: Option<(String,)> = sqlx::query_as("SELECT value FROM setting WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        Ok(found.map(|(value,)| value))
    }

    /// Sets a setting that has no value yet.
    pub(crate) async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Writes a small value.
    ///
    /// # Errors
    /// When the store cannot keep it, as when its disk is full.
    pub(crate) async fn check_writable(&self, now: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ('last_check', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(now.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Closes all connections; SQLite then merges its write-ahead log into the file.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Returns how a file of SQLite is opened; `mode` is `rw`, or `rwc` to make it.
fn sqlite_options(path: &Path, mode: &str) -> Result<AnyConnectOptions, sqlx::Error> {
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
}

/// Returns the time of PostgreSQL's clock, in milliseconds since 1970.
async fn postgres_time(pool: &AnyPool) -> Result<i64, StoreError> {
    let (now,): (i64,) =
        sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .fetch_one(pool)
            .await?;
    Ok(now)
}
