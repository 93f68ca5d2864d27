//! Writing a turn: events, commands and the execution's row, in the transaction of the change.

use noetl_api::ExecutionStatus;
use noetl_engine::execution::{Command, Event, Outcome, Turn, event_name};
use serde_json::Value as Json;
use sqlx::{Any, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::changes::{Change, Written};
use super::{LEASE_MS, Loaded, RunError, Runs};
use crate::clock;
use crate::store::{CommandRow, NewEvent, Progress, Store};

/// Results up to this size are shown in lists.
const SMALL_RESULT: usize = 64 << 10;

impl Runs {
    /// Writes what a machine answered. `input` is the outcome that it was told.
    pub(super) async fn write(
        &self,
        transaction: &mut Transaction<'static, Any>,
        loaded: &mut Loaded,
        mut turn: Turn,
        input: Option<(&str, &Outcome)>,
    ) -> Result<Written, RunError> {
        let now = clock::now_ms();
        let started = loaded.row.last_event_id == 0;
        let own = self.take_own(loaded, &mut turn);
        let mut rows = Vec::with_capacity(turn.events.len());
        let mut issued = Vec::new();
        for event in &turn.events {
            let row = self.row(loaded, event, input, now);
            if event.name == event_name::COMMAND_ISSUED {
                issued.push((row.node_id.clone().unwrap_or_default(), row.event_id));
            }
            rows.push(row);
        }
        Store::insert_events(transaction, &rows).await?;
        let commands: Vec<CommandRow> = turn
            .commands
            .iter()
            .filter_map(|command| {
                let (_, event_id) = issued.iter().find(|(id, _)| *id == command.id)?;
                let claimed = own.iter().any(|(own, _)| own.id == command.id);
                Some(CommandRow {
                    command_id: command.id.clone(),
                    execution_id: loaded.row.execution_id,
                    event_id: *event_id,
                    step: command.step.clone(),
                    worker_id: claimed.then(|| self.worker_id.clone()),
                    lease_until: claimed.then_some(now + LEASE_MS),
                    not_before: now
                        .saturating_add(i64::try_from(command.delay_ms).unwrap_or(i64::MAX / 4)),
                })
            })
            .collect();
        Store::insert_commands(transaction, &commands).await?;
        for command_id in &turn.dropped {
            Store::delete_command(transaction, command_id).await?;
        }
        let progress = self.progress(loaded, &turn, now);
        Store::update_execution(transaction, &progress).await?;
        let ended = progress.end_time.is_some();
        if ended {
            Store::delete_commands_of(transaction, loaded.row.execution_id).await?;
        }
        loaded.row.status = progress.status;
        loaded.row.current_step = progress.current_step;
        Ok(Written {
            change: Change {
                execution_id: loaded.row.execution_id,
                turned: started || ended,
            },
            commands: commands.len(),
            waiting: commands.iter().any(|command| command.worker_id.is_none()),
            own,
            dropped: turn.dropped,
        })
    }

    /// Commands that this server's own worker can take at once, which saves a transaction for each.
    fn take_own(
        &self,
        loaded: &mut Loaded,
        turn: &mut Turn,
    ) -> Vec<(Command, OwnedSemaphorePermit)> {
        let mut own = Vec::new();
        for command in turn.commands.iter().filter(|command| command.delay_ms == 0) {
            let Some(permit) = self.permit() else { break };
            turn.events
                .extend(loaded.machine.claimed(&command.id, &self.worker_id));
            own.push((command.clone(), permit));
        }
        own
    }

    fn row(
        &self,
        loaded: &mut Loaded,
        event: &Event,
        input: Option<(&str, &Outcome)>,
        now: i64,
    ) -> NewEvent {
        let event_id = self.ids.next_after(loaded.row.last_event_id);
        loaded.row.last_event_id = event_id;
        let text = |json: &Json| (!json.is_null()).then(|| json.to_string());
        // The event of the input itself carries what brings the machine back here.
        let meta = input
            .filter(|(command_id, _)| {
                event.command_id.as_deref() == Some(command_id)
                    && matches!(
                        event.name,
                        "call.done" | "call.error" | "sink.executed" | "sink.failed"
                    )
            })
            .map(|(_, outcome)| {
                let rest = Outcome {
                    result: Json::Null,
                    error: None,
                    ..outcome.clone()
                };
                serde_json::to_string(&rest).unwrap_or_default()
            });
        NewEvent {
            execution_id: loaded.row.execution_id,
            event_id,
            catalog_id: loaded.row.catalog_id,
            event_type: event.name.to_owned(),
            node_id: event.command_id.clone(),
            node_name: event.step.clone(),
            status: event.status,
            context: text(&event.context),
            result: text(&event.result),
            error: event
                .error
                .as_ref()
                .and_then(|error| serde_json::to_string(error).ok()),
            meta,
            duration_ms: event.duration_ms.and_then(|ms| i64::try_from(ms).ok()),
            created_at: now,
        }
    }

    fn progress(&self, loaded: &Loaded, turn: &Turn, now: i64) -> Progress {
        let machine = &loaded.machine;
        let ended = machine.status().is_final();
        let entered = turn
            .events
            .iter()
            .rev()
            .find(|event| event.name == event_name::COMMAND_ISSUED);
        let current = entered
            .and_then(|event| event.step.clone())
            .or_else(|| loaded.row.current_step.clone());
        let steps = machine.playbook().steps.len().max(1);
        let done = machine.completed_steps().len();
        let share = i64::try_from(done * 100 / steps).unwrap_or(0).min(99);
        let result = ended.then(|| machine.result().to_string());
        Progress {
            execution_id: loaded.row.execution_id,
            status: machine.status(),
            current_step: current,
            progress: if machine.status() == ExecutionStatus::Completed {
                100
            } else {
                share
            },
            result: result.filter(|result| result.len() <= SMALL_RESULT && result != "null"),
            // What a tool wrote may hold zero bytes, which PostgreSQL has no text for.
            error: machine
                .failure()
                .map(|failure| failure.to_string().replace('\0', "\u{fffd}")),
            end_time: ended.then_some(now),
            last_event_id: loaded.row.last_event_id,
        }
    }
}
