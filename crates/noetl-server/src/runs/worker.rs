//! This server's own worker: it claims what is due and runs it in process.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use noetl_engine::execution::Command;
use tokio::sync::OwnedSemaphorePermit;

use super::host::ServerHost;
use super::{RunError, Runs};
use crate::clock;

/// How long a claim holds without a sign of life, in milliseconds.
pub(crate) const LEASE_MS: i64 = 30_000;
/// How often leases are renewed.
const RENEW: Duration = Duration::from_secs(10);
/// How long the dispatcher sleeps at the most: other servers and workers tell it nothing.
const TICK: Duration = Duration::from_secs(1);

impl Runs {
    /// Room for one command more, if there is some.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if self.stopping.load(Ordering::Relaxed) {
            return None;
        }
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Runs a command that this server holds.
    pub(super) fn spawn(self: &Arc<Self>, command: Command, permit: OwnedSemaphorePermit) {
        let runs = Arc::clone(self);
        let id = command.id.clone();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let task = tokio::spawn(async move { runs.serve(command, permit).await });
        tasks.insert(id, task.abort_handle());
    }

    async fn serve(self: &Arc<Self>, command: Command, permit: OwnedSemaphorePermit) {
        let host = ServerHost::new(Arc::clone(self), &command, permit);
        let outcome = noetl_engine::run_command(&command, &host).await;
        // Its place is free for what follows from it.
        drop(host);
        // Nothing that happens from here on may be cut short by a cancellation; the lease still holds.
        self.reporting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(command.id.clone());
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&command.id);
        let id = command.id.clone();
        let Ok(execution_id) = command.execution_id.parse() else {
            return;
        };
        let runs = Arc::clone(self);
        let report = tokio::spawn(async move {
            let mut pause = Duration::from_millis(50);
            loop {
                match runs
                    .complete(execution_id, &command.id, &runs.worker_id, &outcome)
                    .await
                {
                    Ok(_) => return,
                    // Ended, cancelled or taken over: nobody waits for it any more.
                    Err(
                        RunError::Ended(_)
                        | RunError::NoCommand(_)
                        | RunError::Held(_)
                        | RunError::NoExecution(_),
                    ) => {
                        return;
                    }
                    Err(error) => {
                        tracing::error!(command = command.id, %error, "cannot keep an outcome; trying again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(Duration::from_secs(5));
                    }
                }
            }
        });
        drop(report.await);
        self.reporting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        self.due.notify_one();
    }

    /// Claims what is due, for as long as the server lives.
    pub(crate) async fn dispatch(self: Arc<Self>) {
        loop {
            let now = clock::now_ms();
            let claimed = self.claim_due(now).await;
            if claimed > 0 {
                continue;
            }
            let next = self.store.next_due(now).await.ok().flatten();
            let pause = next.map_or(TICK, |next| {
                Duration::from_millis(u64::try_from(next - now).unwrap_or(0))
                    .clamp(Duration::from_millis(5), TICK)
            });
            // Either way it looks again.
            drop(tokio::time::timeout(pause, self.due.notified()).await);
        }
    }

    /// Claims and starts what is due, as far as there is room.
    async fn claim_due(self: &Arc<Self>, now: i64) -> usize {
        let Some(mut permit) = self.permit() else {
            return 0;
        };
        let room = i64::try_from(self.slots.available_permits() + 1).unwrap_or(1);
        let due = match self.store.due(now, room).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "cannot read the queue");
                return 0;
            }
        };
        let mut claimed = 0;
        for due in due {
            // A lease of our own that lapsed while this machine slept is renewed, not run again.
            if self.holds(&due.command_id) {
                continue;
            }
            match self
                .claim(due.execution_id, &due.command_id, &self.worker_id)
                .await
            {
                Ok(command) => {
                    claimed += 1;
                    self.spawn(command, permit);
                    match self.permit() {
                        Some(next) => permit = next,
                        None => return claimed,
                    }
                }
                Err(RunError::Held(_) | RunError::NoCommand(_) | RunError::Ended(_)) => {}
                Err(error) => {
                    tracing::error!(command = due.command_id, %error, "cannot take up a command");
                    self.give_up(due.execution_id, &error).await;
                }
            }
        }
        claimed
    }

    /// Whether a command runs here, or its outcome is being written.
    fn holds(&self, command_id: &str) -> bool {
        let running = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let reporting = self
            .reporting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.contains_key(command_id) || reporting.contains(command_id)
    }

    /// An execution whose playbook or log cannot be read is marked, not tried for ever.
    async fn give_up(self: &Arc<Self>, execution_id: i64, error: &RunError) {
        let hopeless = matches!(error, RunError::NoPlaybook(_) | RunError::Invalid(_))
            || matches!(error, RunError::Store(crate::store::StoreError::Corrupt(_)));
        if hopeless && let Err(error) = self.mark_failed(execution_id, &error.to_string()).await {
            tracing::error!(execution_id, %error, "cannot mark an execution");
        }
    }

    /// Renews the leases of what runs here, for as long as the server lives.
    pub(crate) async fn renew_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEW).await;
            let mut held: Vec<String> = self
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keys()
                .cloned()
                .collect();
            held.extend(
                self.reporting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .iter()
                    .cloned(),
            );
            match self
                .store
                .renew(&self.worker_id, &held, clock::now_ms() + LEASE_MS)
                .await
            {
                Ok(lost) => {
                    for command_id in lost {
                        let task = self
                            .tasks
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .remove(&command_id);
                        if let Some(task) = task {
                            task.abort();
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "cannot renew leases"),
            }
        }
    }

    /// Stops taking up work and gives back what runs, so that the next server goes on at once.
    pub(crate) async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let tasks: Vec<_> = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .collect();
        for (_, task) in tasks {
            task.abort();
        }
        if let Err(error) = self.store.release(Some(&self.worker_id)).await {
            tracing::error!(%error, "cannot give back what ran");
        }
    }

    /// Claims up to `limit` commands for a worker elsewhere, and waits a while for the first.
    pub(crate) async fn claim_some(
        self: &Arc<Self>,
        worker_id: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Command>, RunError> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut commands = Vec::new();
        loop {
            let due = self
                .store
                .due(clock::now_ms(), i64::try_from(limit).unwrap_or(1))
                .await?;
            for due in due {
                match self
                    .claim(due.execution_id, &due.command_id, worker_id)
                    .await
                {
                    Ok(command) => commands.push(command),
                    Err(RunError::Held(_) | RunError::NoCommand(_) | RunError::Ended(_)) => {}
                    Err(error) => {
                        tracing::error!(command = due.command_id, %error, "cannot hand out a command");
                        self.give_up(due.execution_id, &error).await;
                    }
                }
            }
            let now = tokio::time::Instant::now();
            if !commands.is_empty() || now >= deadline || self.stopping.load(Ordering::Relaxed) {
                return Ok(commands);
            }
            let pause = deadline.duration_since(now).min(TICK);
            // Either way it looks again.
            drop(tokio::time::timeout(pause, self.due.notified()).await);
        }
    }

    /// Gives back what a worker held.
    pub(crate) async fn give_back(&self, worker_id: &str) -> Result<(), RunError> {
        self.store.release(Some(worker_id)).await?;
        self.due.notify_waiters();
        Ok(())
    }
}
