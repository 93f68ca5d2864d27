//! Whether the server can keep what it is given.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::store::{Cause, Store, StoreError};

/// How long an answer holds: callers need no token, and must not make the store busy.
const HOLDS: Duration = Duration::from_secs(1);
/// How long the check may take; probes wait for a few seconds.
const LIMIT: Duration = Duration::from_secs(4);

/// The result of the last check.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), NotReady>)>>);

/// Why the server is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotReady {
    /// A small write failed for this cause.
    #[error("the store is not available: {}", .0.as_str())]
    Cause(Cause),
    /// A small write failed, and the log has the reason.
    #[error("the store is not available")]
    Unknown,
    /// A small write took too long.
    #[error("the store did not answer within {} seconds", LIMIT.as_secs())]
    TooLong,
}

impl Readiness {
    /// Writes a small value to the store, unless that was tried a moment ago.
    pub(crate) async fn check(&self, store: &Store) -> Result<(), NotReady> {
        let mut last = self.0.lock().await;
        if let Some((time, result)) = *last
            && time.elapsed() < HOLDS
        {
            return result;
        }
        let write = timeout(LIMIT, store.check_writable(store.clock().now()));
        let result = match write.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(NotReady::TooLong),
        };
        *last = Some((Instant::now(), result));
        result
    }
}

fn reason(error: &StoreError) -> NotReady {
    tracing::error!(%error, "the store cannot be written to");
    error.cause().map_or(NotReady::Unknown, NotReady::Cause)
}
