//! What happens to executions, told to those who follow them, and to workers that wait for commands.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio::time::{Instant, timeout, timeout_at};

/// Changes that a slow follower may miss before it has to look at the store again.
const BUFFERED: usize = 4096;

/// Something happened to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) execution_id: i64,
    pub(crate) kind: ChangeKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// It started or ended.
    Status,
    /// It went on.
    Progress,
}

/// The changes that this server makes. Those of another server on the same database are not among them.
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
    /// Tells everyone who follows.
    pub(crate) fn publish(&self, change: Change) {
        // It fails when there are no followers.
        drop(self.sender.send(change));
    }

    /// Every change from now on.
    pub(crate) fn subscribe(&self) -> Receiver<Change> {
        self.sender.subscribe()
    }

    /// The changes of one execution from now on.
    pub(crate) fn watch(&self, execution_id: i64) -> Watch {
        Watch {
            execution_id,
            changes: self.sender.subscribe(),
        }
    }

    /// Wakes everyone who waits for commands.
    pub(crate) fn announce_due(&self) {
        self.due.notify_waiters();
        // Kept for the next one who waits, when nobody does now.
        self.due.notify_one();
    }

    /// Waits until commands may have become due, or until the time is over.
    pub(crate) async fn wait_for_due(&self, longest: Duration) {
        // Either way the caller looks at the store.
        drop(timeout(longest, self.due.notified()).await);
    }
}

/// Follows one execution.
#[derive(Debug)]
pub(crate) struct Watch {
    execution_id: i64,
    changes: Receiver<Change>,
}

impl Watch {
    /// Waits for a change of the execution, or until the time is over: another server may have made one.
    /// False when the server stops.
    pub(crate) async fn wait(&mut self, longest: Duration) -> bool {
        self.wait_for(longest, |_| true).await
    }

    /// Waits until the execution starts or ends, or until the time is over. False when the server stops.
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
                // One of those that were missed may be the one that is waited for.
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
    async fn an_announcement_is_kept_for_the_next_who_waits() {
        let changes = Changes::default();
        changes.announce_due();
        assert_eq!(changes.wait_for_due(LONG).now_or_never(), Some(()));
        assert_eq!(changes.wait_for_due(LONG).now_or_never(), None);
    }
}
