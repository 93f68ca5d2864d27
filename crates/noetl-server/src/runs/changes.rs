//! What others are told once a change is in the store.

use std::sync::Arc;
use std::sync::PoisonError;

use noetl_engine::execution::Command;
use tokio::sync::OwnedSemaphorePermit;

use super::Runs;

/// Something happened to an execution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) execution_id: i64,
    /// Whether its status is new: it started or ended.
    pub(crate) turned: bool,
}

/// What a change wrote, for those who wait for it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(super) change: Change,
    /// Commands that this server's own worker has claimed in the same transaction.
    pub(super) own: Vec<(Command, OwnedSemaphorePermit)>,
    /// Commands that nobody waits for any more.
    pub(super) dropped: Vec<String>,
    /// Commands that were issued.
    pub(super) commands: usize,
    /// Whether commands wait for a worker.
    pub(super) waiting: bool,
}

impl Runs {
    /// Tells everybody, after the commit.
    pub(super) fn after(self: &Arc<Self>, written: Written) {
        for command_id in &written.dropped {
            let task = self
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(command_id);
            if let Some(task) = task {
                task.abort();
            }
        }
        for (command, permit) in written.own {
            self.spawn(command, permit);
        }
        if written.waiting {
            self.due.notify_waiters();
            self.due.notify_one();
        }
        // Nobody listening is no error.
        drop(self.changes.send(written.change));
    }
}
