//! Deletes executions that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use super::error::RunError;
use super::service::Executions;
use crate::clock;

/// How often a server looks for executions to delete.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

impl Executions {
    /// Deletes the executions that ended longer ago than `age`, or only counts them. Returns how many.
    pub(crate) async fn expire(&self, age: Duration, dry_run: bool) -> Result<usize, RunError> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let before = clock::now_ms().saturating_sub(age);
        if dry_run {
            let count = self.store.count_ended(before).await?;
            return Ok(usize::try_from(count).unwrap_or(0));
        }
        let mut deleted = 0;
        loop {
            match self.store.delete_ended(before).await? {
                0 => return Ok(deleted),
                count => deleted += count,
            }
        }
    }

    /// Deletes executions as they grow older than `age`, for as long as the server runs.
    pub(crate) async fn keep_expiring(self: Arc<Self>, age: Duration) {
        loop {
            match self.expire(age, false).await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, "deleted executions that ended long ago"),
                Err(error) => {
                    tracing::error!(%error, "cannot delete executions that ended long ago")
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
