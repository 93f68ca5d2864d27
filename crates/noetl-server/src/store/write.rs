//! Transactions that write.

#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::error::StoreError;

/// How long a transaction waits for the one before.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// In WAL mode with NORMAL, a killed process loses nothing, and a crash of the system cannot corrupt the file.
const PRAGMAS: &str =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=10000;";

/// Where the connections of transactions come from.
#[derive(Debug, Clone)]
pub(super) enum Writer {
    /// SQLite has one transaction at a time: one connection, which is opened again after it has failed.
    One(Arc<Mutex<Option<AnyConnection>>>, AnyConnectOptions),
    /// PostgreSQL has several.
    Pool(AnyPool),
}

/// A transaction that writes. Without [`Self::commit`] or [`Self::rollback`], its connection is closed, which ends it.
///
/// The statements that begin and end it are sent as text. The driver's own transactions count how deep they are
/// nested, and SQLite ends a transaction by itself when a disk is full or fails: from then on, the driver would
/// commit savepoints of a transaction that never ends. `COMMIT` as text fails when no transaction is open.
#[derive(Debug)]
pub(crate) struct Write {
    connection: Connection,
    has_ended: bool,
}

#[derive(Debug)]
enum Connection {
    /// [`Writer::begin`] has opened it.
    One(OwnedMutexGuard<Option<AnyConnection>>),
    Pooled(PoolConnection<Any>),
}

impl Writer {
    /// Returns the writer of a SQLite file; the first transaction opens it.
    pub(super) fn sqlite(options: AnyConnectOptions) -> Self {
        Self::One(Arc::default(), options)
    }

    /// Begins a transaction, when the one before has ended.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when that does not end in time, and the database's error.
    pub(super) async fn begin(&self) -> Result<Write, StoreError> {
        let (connection, statement) = match self {
            Self::One(place, options) => {
                let place = tokio::time::timeout(LONGEST_WAIT, Arc::clone(place).lock_owned());
                let mut place = place.await.map_err(|_| StoreError::Busy)?;
                if place.is_none() {
                    *place = Some(open(options).await?);
                }
                // Takes the write lock now: a transaction that has read first could not take it later.
                (Connection::One(place), "BEGIN IMMEDIATE")
            }
            Self::Pool(pool) => (Connection::Pooled(pool.acquire().await?), "BEGIN"),
        };
        let mut write = Write {
            connection,
            has_ended: false,
        };
        write.execute(statement).await?;
        Ok(write)
    }

    pub(super) async fn close(&self) {
        match self {
            Self::One(place, _) => {
                let connection = place.lock().await.take();
                if let Some(connection) = connection
                    && let Err(error) = connection.close().await
                {
                    tracing::warn!(%error, "cannot close the store");
                }
            }
            Self::Pool(pool) => pool.close().await,
        }
    }
}

async fn open(options: &AnyConnectOptions) -> Result<AnyConnection, StoreError> {
    let mut connection = AnyConnection::connect_with(options).await?;
    connection.execute(PRAGMAS).await?;
    Ok(connection)
}

impl Write {
    /// Ends the transaction and keeps what it wrote.
    ///
    /// # Errors
    /// When nothing of it is kept.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let statement = match self.connection {
            Connection::One(_) => "COMMIT",
            // PostgreSQL answers COMMIT with success after a statement has failed, and keeps nothing. Any other
            // statement fails then, and what follows it in the same text is not run.
            Connection::Pooled(_) => "SELECT 1; COMMIT",
        };
        self.execute(statement).await?;
        self.has_ended = true;
        Ok(())
    }

    /// Ends the transaction and keeps nothing that it wrote.
    pub(crate) async fn rollback(mut self) {
        self.has_ended = self.execute("ROLLBACK").await.is_ok();
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.has_ended {
            match &mut self.connection {
                Connection::One(place) => drop(place.take()),
                Connection::Pooled(connection) => connection.close_on_drop(),
            }
        }
    }
}

impl Deref for Write {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match &self.connection {
            Connection::One(place) => place.as_ref().expect("`begin` has opened it"),
            Connection::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.connection {
            Connection::One(place) => place.as_mut().expect("`begin` has opened it"),
            Connection::Pooled(connection) => connection,
        }
    }
}
