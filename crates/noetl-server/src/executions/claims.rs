//! The commands of workers: claiming them, taking their outcomes, and giving them back.

#[cfg(test)]
mod tests;

use std::time::Duration;

use noetl_api::Failure;
use noetl_engine::execution::{Command, Outcome};
use tokio::time::Instant;

use super::error::RunError;
use super::service::{Executions, Input};
use crate::store::{Due, Holder, StoreError};

/// The longest wait for commands: commands of other servers on the same database are not announced.
const TICK: Duration = Duration::from_secs(1);

/// An outcome that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Completed {
    pub(crate) event_id: i64,
    /// How many commands were issued.
    pub(crate) commands: usize,
    /// Whether it was kept before.
    pub(crate) duplicate: bool,
}

impl Executions {
    /// Assigns a command to a worker. A command that has lost too many holders is not assigned: it may be what ended
    /// them, and its execution fails.
    pub(crate) async fn claim(
        &self,
        execution_id: i64,
        command_id: &str,
        holder: Holder<'_>,
    ) -> Result<Command, RunError> {
        let input = Input::Claim { command_id, holder };
        match self.change(execution_id, input).await {
            Ok(changed) => changed
                .claimed
                .ok_or_else(|| RunError::NoCommand(command_id.to_owned())),
            Err(error @ RunError::HoldersLost { .. }) => {
                let failure = Failure::new("lost", error.to_string());
                self.mark_failed(execution_id, &failure).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns commands that may be claimed now, oldest first.
    pub(crate) async fn due(&self, limit: usize) -> Result<Vec<Due>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store.due(self.store.clock().now(), limit).await
    }

    /// Assigns a command that is due to a worker. Returns none when another worker holds it by now. Returns none
    /// as well when its execution cannot be restored, and marks that as failed.
    pub(crate) async fn claim_due(&self, due: &Due, holder: Holder<'_>) -> Option<Command> {
        let claimed = self.claim(due.execution_id, &due.command_id, holder);
        let error = match claimed.await {
            Ok(command) => return Some(command),
            Err(RunError::Held(_) | RunError::NoCommand(_) | RunError::Ended(_)) => return None,
            Err(error) => error,
        };
        tracing::error!(command = due.command_id, %error, "cannot assign a command");
        let unrecoverable = matches!(
            error,
            RunError::NoPlaybook(_)
                | RunError::Invalid(_)
                | RunError::Store(StoreError::Corrupt { .. })
        );
        let failure = Failure::new("finalized", error.to_string());
        if unrecoverable && let Err(error) = self.mark_failed(due.execution_id, &failure).await {
            tracing::error!(due.execution_id, %error, "cannot mark an execution as failed");
        }
        None
    }

    /// Waits until commands may be due, and no longer than until the next one is.
    pub(crate) async fn wait_for_due(&self) {
        let now = self.store.clock().now();
        let next = self.store.next_due(now).await.ok().flatten();
        let longest = next.map_or(TICK, |next| {
            Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or(0))
                .clamp(Duration::from_millis(5), TICK)
        });
        self.changes.wait_for_due(longest).await;
    }

    /// Assigns up to `limit` commands to a worker, and waits for the first one.
    pub(crate) async fn claim_some(
        &self,
        worker_id: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Command>, RunError> {
        let deadline = Instant::now() + wait;
        let holder = Holder::worker(worker_id);
        let mut commands = Vec::new();
        loop {
            for due in self.due(limit).await? {
                commands.extend(self.claim_due(&due, holder).await);
            }
            let now = Instant::now();
            if !commands.is_empty() || now >= deadline || self.writer.local.is_closed() {
                return Ok(commands);
            }
            let longest = deadline.duration_since(now).min(TICK);
            self.changes.wait_for_due(longest).await;
        }
    }

    /// Takes an event of a worker that is not an outcome: it claims, starts or ends a command.
    pub(crate) async fn note(
        &self,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
        claims: bool,
    ) -> Result<(), RunError> {
        let row = self.store.command(command_id).await?;
        if row
            .as_ref()
            .is_some_and(|row| row.execution_id != execution_id)
        {
            return Err(RunError::NoCommand(command_id.to_owned()));
        }
        match row.and_then(|row| row.worker_id) {
            Some(holder) if holder == worker_id => Ok(()),
            Some(_) => Err(RunError::Held(command_id.to_owned())),
            None if claims => {
                let holder = Holder::worker(worker_id);
                self.claim(execution_id, command_id, holder).await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Takes the outcome of a command from the worker that holds it. A second report changes nothing.
    pub(crate) async fn complete(
        &self,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
        outcome: &Outcome,
    ) -> Result<Completed, RunError> {
        let input = Input::Outcome {
            command_id,
            worker_id,
            outcome,
        };
        match self.change(execution_id, input).await {
            Ok(changed) => Ok(Completed {
                event_id: changed.outcome_event.unwrap_or_default(),
                commands: changed.commands,
                duplicate: false,
            }),
            // A second report: the worker did not get the first answer.
            Err(error @ (RunError::NoCommand(_) | RunError::Ended(_))) => {
                let known = self.store.outcome_event(execution_id, command_id).await?;
                Ok(Completed {
                    event_id: known.ok_or(error)?,
                    commands: 0,
                    duplicate: true,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives back the commands that a worker holds, so that others can claim them.
    pub(crate) async fn release(&self, worker_id: &str) -> Result<(), StoreError> {
        self.store.release(worker_id).await?;
        self.changes.announce_due();
        Ok(())
    }
}
