//! Notifications within this server: of changes of executions, and of commands that may be claimed.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio::time::{Instant, timeout, timeout_at};

/// How many changes are buffered for a slow receiver. One that falls behind looks at the store instead.
const BUFFERED: usize = 4096;

/// A change of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) execution_id: i64,
    pub(crate) kind: ChangeKind,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// It started or ended.
    Status,
    /// It went on.
    Progress,
    /// One of its steps printed something.
    Log,
}

/// Distributes notifications. Changes that another server makes on the same database are not among them.
#[derive(Debug)]
pub(crate) struct Changes {
    sender: broadcast::Sender<Change>,
    due: Notify,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(BUFFERED).0,
            due: Notify::new(),
        }
    }
}

impl Changes {
    /// Sends a change to all receivers.
    pub(crate) fn publish(&self, change: Change) {
        // Sending fails when there are no receivers.
        drop(self.sender.send(change));
    }

    /// Receives the changes of all executions from now on.
    pub(crate) fn subscribe(&self) -> Receiver<Change> {
        self.sender.subscribe()
    }

    /// Receives the changes of one execution from now on.
    pub(crate) fn watch(&self, execution_id: i64) -> Watch {
        Watch {
            execution_id,
            changes: self.sender.subscribe(),
        }
    }

    /// Wakes all tasks that wait for commands.
    pub(crate) fn announce_due(&self) {
        self.due.notify_waiters();
        // Without a waiting task, the next one that waits is woken at once.
        self.due.notify_one();
    }

    /// Waits until commands may be due, or until the time is over.
    pub(crate) async fn wait_for_due(&self, longest: Duration) {
        // In both cases the caller looks at the store.
        drop(timeout(longest, self.due.notified()).await);
    }
}

/// The changes of one execution.
#[derive(Debug)]
pub(crate) struct Watch {
    execution_id: i64,
    changes: Receiver<Change>,
}

impl Watch {
    /// Waits for a change, or until the time is over, since another server may have changed the execution.
    /// Returns false when the server stops.
    pub(crate) async fn wait(&mut self, longest: Duration) -> bool {
        self.wait_for(longest, |_| true).await
    }

    /// As [`Self::wait`], for changes that events tell.
    pub(crate) async fn wait_for_events(&mut self, longest: Duration) -> bool {
        self.wait_for(longest, |kind| kind != ChangeKind::Log).await
    }

    /// As [`Self::wait`], for changes of the execution's status.
    pub(crate) async fn wait_for_status(&mut self, longest: Duration) -> bool {
        self.wait_for(longest, |kind| kind == ChangeKind::Status)
            .await
    }

    async fn wait_for(&mut self, longest: Duration, wanted: impl Fn(ChangeKind) -> bool) -> bool {
        let deadline = Instant::now() + longest;
        loop {
            match timeout_at(deadline, self.changes.recv()).await {
                Ok(Ok(change)) => {
                    if change.execution_id == self.execution_id && wanted(change.kind) {
                        return true;
                    }
                }
                // A missed change may be the one that is waited for.
                Err(_) | Ok(Err(RecvError::Lagged(_))) => return true,
                Ok(Err(RecvError::Closed)) => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_watch_sees_the_changes_of_its_execution_alone() {
        let changes = Changes::default();
        let mut watch = changes.watch(1);
        let publish = |execution_id, kind| changes.publish(Change { execution_id, kind });
        publish(2, ChangeKind::Status);
        assert_eq!(watch.wait(LONG).now_or_never(), None);
        publish(1, ChangeKind::Progress);
        assert_eq!(watch.wait(LONG).now_or_never(), Some(true));
        publish(1, ChangeKind::Progress);
        assert_eq!(watch.wait_for_status(LONG).now_or_never(), None);
        publish(1, ChangeKind::Status);
        assert_eq!(watch.wait_for_status(LONG).now_or_never(), Some(true));
        assert!(watch.wait(Duration::ZERO).await, "the time is over");
        drop(changes);
        assert!(!watch.wait(LONG).await, "the server stops");
    }

    #[tokio::test]
    async fn an_announcement_wakes_the_next_task_that_waits() {
        let changes = Changes::default();
        changes.announce_due();
        assert_eq!(changes.wait_for_due(LONG).now_or_never(), Some(()));
        assert_eq!(changes.wait_for_due(LONG).now_or_never(), None);
    }
}
