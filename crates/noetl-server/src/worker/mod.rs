//! The loop of a worker: claims commands under leases, runs them, and reports their outcomes.
//!
//! The server's own worker and `noetl worker start` run the same loop. They differ in their [`Source`]: one
//! asks the store, the other a server over HTTP.

mod backoff;
mod logs;
mod slots;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use noetl_engine::Failure;
use noetl_engine::execution::{Command, Outcome};
use tokio::task::AbortHandle;

pub use backoff::Backoff;
pub use logs::LogSink;
use logs::Logs;
pub use slots::{LentSlot, Slot, Slots};
pub use source::{Claim, Report, Source};

/// How often leases are renewed. A lease lasts for three of these periods.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A worker that takes its commands from a source.
#[derive(Debug)]
pub struct Worker<S> {
    source: S,
    slots: Slots,
    tasks: Mutex<HashMap<String, Task>>,
    logs: Arc<Logs>,
}

/// The state of a command that the worker holds.
#[derive(Debug)]
enum Task {
    Running(AbortHandle),
    /// The command has ended, and its outcome is being reported. This is never stopped.
    Reporting,
}

impl<S: Source> Worker<S> {
    /// Returns a worker that runs as many commands at once as there are slots.
    pub fn new(source: S, slots: Slots) -> Arc<Self> {
        Arc::new(Self {
            source,
            slots,
            tasks: Mutex::default(),
            logs: Arc::default(),
        })
    }

    /// Claims and runs commands, and renews their leases, until [`Self::stop_all`].
    pub async fn run(self: Arc<Self>) {
        let heartbeats = tokio::spawn(Arc::clone(&self).send_heartbeats());
        let worker = Arc::clone(&self);
        let lines = tokio::spawn(async move { worker.logs.send_to(&worker.source).await });
        let mut backoff = Backoff::default();
        while self.slots.wait_for_one().await {
            match self.source.claim(&self.slots, &self.held()).await {
                Ok(claims) => {
                    backoff = Backoff::default();
                    for claim in claims {
                        self.start(claim);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot claim commands; trying again");
                    backoff.wait().await;
                }
            }
        }
        heartbeats.abort();
        // The lines of steps that were stopped.
        self.logs.flush(None).await;
        lines.abort();
    }

    /// Runs a claimed command, unless the worker holds it already or has stopped.
    pub fn start(self: &Arc<Self>, claim: Claim) {
        let mut tasks = self.tasks();
        let id = claim.command.id.clone();
        if self.slots.are_closed() || tasks.contains_key(&id) {
            return;
        }
        // The lock is held until the task is in the table, so that the task cannot end before.
        let task = tokio::spawn(Arc::clone(self).serve(claim));
        tasks.insert(id, Task::Running(task.abort_handle()));
    }

    /// Stops a command. Returns false when it does not run.
    pub fn stop(&self, command_id: &str) -> bool {
        let mut tasks = self.tasks();
        let Some(Task::Running(task)) = tasks.get(command_id) else {
            return false;
        };
        task.abort();
        tasks.remove(command_id);
        true
    }

    /// Stops all commands, and claims no more.
    pub fn stop_all(&self) {
        self.slots.close();
        self.tasks().retain(|_, task| match task {
            Task::Running(task) => {
                task.abort();
                false
            }
            Task::Reporting => true,
        });
    }

    /// Where the commands come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The commands that the worker holds.
    pub fn held(&self) -> Vec<String> {
        self.tasks().keys().cloned().collect()
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<String, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>, claim: Claim) {
        let slot = match claim.slot {
            Some(slot) => Some(slot),
            None => self.slots.take().await,
        };
        // Without a slot the worker has stopped.
        let Some(slot) = slot else { return };
        let command = claim.command;
        let log = self.logs.sink(&command);
        let host = self.source.host(&command, self.slots.lend(slot), log);
        let outcome = noetl_engine::run_command(&command, &host).await;
        // Frees the slot before the report, for the commands that follow from the outcome.
        drop(host);
        self.tasks().insert(command.id.clone(), Task::Reporting);
        // A task of its own, which `stop` does not abort.
        tokio::spawn(async move {
            // Whoever sees that the step has ended sees all that it has printed.
            self.logs.flush(Some(&command.id)).await;
            self.report(&command, outcome).await;
            self.tasks().remove(&command.id);
        });
    }

    /// Reports an outcome until the source has it or no longer waits for it.
    async fn report(&self, command: &Command, mut outcome: Outcome) {
        self.source.ended(command, &outcome);
        let mut backoff = Backoff::default();
        let mut refused = false;
        loop {
            match self.source.report(command, &outcome).await {
                Ok(Report::Kept | Report::TooLate) => return,
                Ok(Report::Refused(why)) if !refused => {
                    tracing::error!(command = command.id, why, "the outcome is refused");
                    // Without a report, the step would run again each time its lease lapses.
                    let message = format!("the server refuses the result of this step: {why}");
                    outcome = Outcome::failed(Failure::new("limit", message));
                    refused = true;
                }
                Ok(Report::Refused(why)) => {
                    tracing::error!(command = command.id, why, "the failure is refused as well");
                    return;
                }
                Err(error) => {
                    tracing::warn!(command = command.id, %error, "cannot report the outcome; trying again");
                    backoff.wait().await;
                }
            }
        }
    }

    /// Renews the leases, and stops commands that were cancelled or given to another worker.
    async fn send_heartbeats(self: Arc<Self>) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if self.slots.are_closed() {
                return;
            }
            match self.source.heartbeat(self.held()).await {
                Ok(lost) => {
                    for command in lost.iter().filter(|command_id| self.stop(command_id)) {
                        tracing::info!(command, "stopped: cancelled, or held by another worker");
                    }
                }
                Err(error) => tracing::warn!(%error, "cannot renew the leases"),
            }
        }
    }
}
