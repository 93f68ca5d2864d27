//! What workers do with commands: they claim them, report their outcomes, and give them back.

use std::time::Duration;

use noetl_engine::execution::{Command, Outcome};
use tokio::time::Instant;

use super::error::RunError;
use super::service::{Executions, Input};
use crate::clock;
use crate::store::{Due, StoreError};

/// How long a wait for commands lasts at the most: other servers on the same database announce nothing.
const TICK: Duration = Duration::from_secs(1);

/// An outcome that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Completed {
    pub(crate) event_id: i64,
    /// How many commands came of it.
    pub(crate) commands: usize,
    /// Whether it was kept before.
    pub(crate) duplicate: bool,
}

impl Executions {
    /// Gives a command to a worker.
    pub(crate) async fn claim(
        &self,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
    ) -> Result<Command, RunError> {
        let input = Input::Claim {
            command_id,
            worker_id,
        };
        let changed = self.change(execution_id, input).await?;
        changed
            .claimed
            .ok_or_else(|| RunError::NoCommand(command_id.to_owned()))
    }

    /// Commands that may be claimed now, oldest first.
    pub(crate) async fn due(&self, limit: usize) -> Result<Vec<Due>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store.due(clock::now_ms(), limit).await
    }

    /// Gives a command that is due to a worker. None when another worker has it by now, or when its execution
    /// cannot go on, which is then marked as failed.
    pub(crate) async fn claim_due(&self, due: &Due, worker_id: &str) -> Option<Command> {
        let claimed = self.claim(due.execution_id, &due.command_id, worker_id);
        let error = match claimed.await {
            Ok(command) => return Some(command),
            Err(RunError::Held(_) | RunError::NoCommand(_) | RunError::Ended(_)) => return None,
            Err(error) => error,
        };
        tracing::error!(command = due.command_id, %error, "cannot hand out a command");
        // Tried again, it would fail for ever.
        let hopeless = matches!(
            error,
            RunError::NoPlaybook(_)
                | RunError::Invalid(_)
                | RunError::Store(StoreError::Corrupt(_))
        );
        if hopeless && let Err(error) = self.mark_failed(due.execution_id, &error.to_string()).await
        {
            tracing::error!(due.execution_id, %error, "cannot mark an execution as failed");
        }
        None
    }

    /// Waits until commands may have become due, at the most until the next one surely is.
    pub(crate) async fn wait_for_due(&self) {
        let now = clock::now_ms();
        let next = self.store.next_due(now).await.ok().flatten();
        let longest = next.map_or(TICK, |next| {
            Duration::from_millis(u64::try_from(next - now).unwrap_or(0))
                .clamp(Duration::from_millis(5), TICK)
        });
        self.changes.wait_for_due(longest).await;
    }

    /// Gives up to `limit` commands to a worker elsewhere, and waits a while for the first one.
    pub(crate) async fn claim_some(
        &self,
        worker_id: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Command>, RunError> {
        let deadline = Instant::now() + wait;
        let mut commands = Vec::new();
        loop {
            for due in self.due(limit).await? {
                commands.extend(self.claim_due(&due, worker_id).await);
            }
            let now = Instant::now();
            if !commands.is_empty() || now >= deadline || self.writer.local.is_closed() {
                return Ok(commands);
            }
            let longest = deadline.duration_since(now).min(TICK);
            self.changes.wait_for_due(longest).await;
        }
    }

    /// Takes what a worker says of a command besides its outcome: that it claims it, began or ended it.
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
            None if claims => self
                .claim(execution_id, command_id, worker_id)
                .await
                .map(drop),
            None => Ok(()),
        }
    }

    /// Takes the outcome of a command from the worker that holds it. Taking it twice changes nothing.
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
            // Sent twice, because the first answer was lost on the way.
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

    /// Gives back the commands that a worker holds, for others to claim.
    pub(crate) async fn release(&self, worker_id: &str) -> Result<(), StoreError> {
        self.store.release(Some(worker_id)).await?;
        self.changes.announce_due();
        Ok(())
    }
}
