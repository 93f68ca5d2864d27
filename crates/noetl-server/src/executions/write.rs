//! Writes a turn of a machine: its events, its commands and the execution's row.

use std::collections::HashMap;
use std::sync::Arc;

use noetl_api::{EventStatus, ExecutionStatus, Failure};
use noetl_engine::execution::{Command, Event, Outcome, Turn, event_name};
use serde_json::{Map, Value as Json};

use super::at_once::{is_outcome_of, outcome_in, run_at_once};
use super::error::RunError;
use super::local_queue::LocalQueue;
use super::machines::Loaded;
use super::progress::progress;
use crate::changes::{Change, ChangeKind};
use crate::clock;
use crate::store::{
    Column, CommandRow, EventRow, ExecutionRow, Extracted, Ids, LEASE_MS, Progress, Store,
    StoreError, Write, to_column,
};
use crate::worker::Claim;

/// The event of variables that were set by a request.
pub(super) const VARIABLES_SET: &str = "vars.set";

/// Writes the turns of machines, in the transaction of the change.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) ids: Arc<Ids>,
    pub(super) local: LocalQueue,
    pub(super) store: Store,
}

/// The outcomes that led to a turn.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// None.
    Nothing,
    /// One that a worker has reported, with its command.
    Now(&'a str, &'a Outcome),
    /// Those of an earlier execution, by command.
    Before(HashMap<String, Outcome>),
}

impl Told<'_> {
    /// Returns the outcome that an event tells, if it is one of these.
    fn outcome_in(&self, event: &Event) -> Option<&Outcome> {
        match self {
            Self::Nothing => None,
            Self::Now(command_id, outcome) => is_outcome_of(event, command_id).then_some(*outcome),
            Self::Before(outcomes) => outcome_in(outcomes, event),
        }
    }
}

/// What a change wrote.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) change: Change,
    /// How many commands were issued.
    pub(super) commands: usize,
    /// The event of the outcome that was the input.
    pub(super) outcome_event: Option<i64>,
    /// Whether commands wait for a worker.
    pub(super) waiting: bool,
    /// Commands that the server's own worker has claimed in the same transaction.
    pub(super) own: Vec<Claim>,
    /// Commands whose outcomes are no longer wanted.
    pub(super) dropped: Vec<String>,
    /// What the log says of it.
    pub(super) news: Vec<News>,
}

/// What a change means for the log of the server: that an execution began, or ended.
#[derive(Debug)]
pub(super) struct News {
    execution_id: i64,
    path: String,
    /// `None` when it began.
    end: Option<(ExecutionStatus, i64)>,
}

impl News {
    fn began(row: &ExecutionRow) -> Self {
        Self {
            execution_id: row.execution_id,
            path: row.path.clone(),
            end: None,
        }
    }

    fn ended(row: &ExecutionRow, status: ExecutionStatus, now: i64) -> Self {
        Self {
            end: Some((status, now - row.start_time)),
            ..Self::began(row)
        }
    }

    /// Writes it to the log, once the change is stored.
    pub(super) fn log(&self) {
        let (execution, path) = (self.execution_id, &self.path);
        match self.end {
            None => tracing::info!(execution, path, "an execution began"),
            Some((status, milliseconds)) => {
                tracing::info!(execution, path, %status, milliseconds, "an execution ended");
            }
        }
    }
}

impl Writer {
    /// Writes a turn.
    pub(super) async fn write(
        &self,
        transaction: &mut Write,
        loaded: &mut Loaded,
        mut turn: Turn,
        told: Told<'_>,
    ) -> Result<Written, RunError> {
        let now = clock::now_ms();
        let started = loaded.row.last_event_id == 0;
        let at_once = run_at_once(&self.local, loaded, &mut turn);
        let own = self.claim_own(loaded, &mut turn);
        let mut rows = Vec::with_capacity(turn.events.len());
        let mut outcome_event = None;
        for event in &turn.events {
            let outcome = told
                .outcome_in(event)
                .or_else(|| outcome_in(&at_once, event));
            let row = self.event(transaction, loaded, event, outcome, now).await?;
            if matches!(told, Told::Now(command_id, _) if is_outcome_of(event, command_id)) {
                outcome_event.get_or_insert(row.event_id);
            }
            rows.push(row);
        }
        Store::insert_events(transaction, &rows).await?;
        let commands = self.commands(&turn, &rows, &own);
        Store::insert_commands(transaction, &commands).await?;
        for command_id in &turn.dropped {
            Store::delete_command(transaction, command_id).await?;
        }
        let progress = progress(loaded, &turn, now);
        Store::update_execution(transaction, &progress).await?;
        let ended = progress.end_time.is_some();
        if ended {
            let machine = &loaded.machine;
            let variables = Extracted::new(&Json::Object(machine.variables()));
            let steps = Json::from(machine.completed_steps()).to_string();
            let id = loaded.row.execution_id;
            Store::insert_ended(transaction, id, &variables, &steps).await?;
            Store::delete_commands_of(transaction, id).await?;
        }
        let mut news = Vec::new();
        if started {
            news.push(News::began(&loaded.row));
        }
        if ended {
            news.push(News::ended(&loaded.row, progress.status, now));
        }
        let is_status = started || progress.status != loaded.row.status;
        loaded.row.status = progress.status;
        loaded.row.current_step = progress.current_step;
        Ok(Written {
            change: Change {
                execution_id: loaded.row.execution_id,
                kind: if is_status {
                    ChangeKind::Status
                } else {
                    ChangeKind::Progress
                },
            },
            commands: commands.len(),
            outcome_event,
            waiting: commands.iter().any(|command| command.worker_id.is_none()),
            own,
            dropped: turn.dropped,
            news,
        })
    }

    /// Writes variables that a request sets.
    pub(super) async fn write_variables(
        &self,
        transaction: &mut Write,
        loaded: &mut Loaded,
        variables: &Map<String, Json>,
    ) -> Result<Written, RunError> {
        let event_id = self.ids.next_after(loaded.row.last_event_id);
        loaded.row.last_event_id = event_id;
        let meta = Extracted::new(&Json::Object(variables.clone()));
        let contents = meta.store(transaction, loaded.row.execution_id, Column::Meta);
        let contents = to_column(&contents.await?);
        let event = EventRow {
            meta: Some(meta.text),
            contents,
            ..bare_event(
                &loaded.row,
                event_id,
                VARIABLES_SET,
                EventStatus::Completed,
                clock::now_ms(),
            )
        };
        Store::insert_events(transaction, std::slice::from_ref(&event)).await?;
        self.write(transaction, loaded, Turn::default(), Told::Nothing)
            .await
    }

    /// Writes the failure of an execution whose machine cannot be restored.
    pub(super) async fn write_failure(
        &self,
        transaction: &mut Write,
        row: ExecutionRow,
        failure: &Failure,
    ) -> Result<Written, RunError> {
        let now = clock::now_ms();
        let event = EventRow {
            error: serde_json::to_string(failure).ok(),
            ..bare_event(
                &row,
                self.ids.next_after(row.last_event_id),
                event_name::PLAYBOOK_FAILED,
                EventStatus::Failed,
                now,
            )
        };
        Store::insert_events(transaction, std::slice::from_ref(&event)).await?;
        let dropped = Store::commands_of(transaction, row.execution_id).await?;
        let progress = Progress {
            execution_id: row.execution_id,
            status: ExecutionStatus::Failed,
            current_step: row.current_step.clone(),
            progress: row.progress,
            result: None,
            error: Some(failure.message.clone()),
            end_time: Some(now),
            last_event_id: event.event_id,
        };
        Store::update_execution(transaction, &progress).await?;
        Store::delete_commands_of(transaction, row.execution_id).await?;
        Ok(Written {
            change: Change {
                execution_id: row.execution_id,
                kind: ChangeKind::Status,
            },
            commands: 0,
            outcome_event: None,
            waiting: false,
            own: Vec::new(),
            dropped,
            news: vec![News::ended(&row, ExecutionStatus::Failed, now)],
        })
    }

    /// Claims commands for the server's own worker, as many as it has free slots.
    fn claim_own(&self, loaded: &mut Loaded, turn: &mut Turn) -> Vec<Claim> {
        let mut own = Vec::new();
        for command in turn.commands.iter().filter(|command| command.delay_ms == 0) {
            let Some(slot) = self.local.slot() else { break };
            turn.events
                .extend(loaded.machine.claimed(&command.id, self.local.worker_id()));
            own.push(Claim {
                command: command.clone(),
                slot: Some(slot),
            });
        }
        own
    }

    /// Returns the row of an event, and stores its large values. The event that reports `outcome` contains what
    /// restores the machine.
    async fn event(
        &self,
        transaction: &mut Write,
        loaded: &mut Loaded,
        event: &Event,
        outcome: Option<&Outcome>,
        now: i64,
    ) -> Result<EventRow, StoreError> {
        let event_id = self.ids.next_after(loaded.row.last_event_id);
        loaded.row.last_event_id = event_id;
        let rest = outcome.map_or(Json::Null, |outcome| {
            serde_json::to_value(outcome.variables()).unwrap_or_default()
        });
        let result = event.result();
        let mut contents = Vec::new();
        let mut texts = [None, None, None];
        for (text, (column, json)) in texts.iter_mut().zip([
            (Column::Context, &event.context),
            (Column::Result, &result),
            (Column::Meta, &rest),
        ]) {
            if !json.is_null() {
                let extracted = Extracted::new(json);
                if outcome.is_some() {
                    loaded.bytes += extracted.bytes();
                }
                let stored = extracted.store(transaction, loaded.row.execution_id, column);
                contents.extend(stored.await?);
                *text = Some(extracted.text);
            }
        }
        let [context, result, meta] = texts;
        Ok(EventRow {
            node_id: event.command_id.clone(),
            node_name: event.step.clone(),
            context,
            result,
            error: event
                .error
                .as_ref()
                .and_then(|error| serde_json::to_string(error).ok()),
            meta,
            contents: to_column(&contents),
            duration_ms: event.duration_ms.and_then(|ms| i64::try_from(ms).ok()),
            ..bare_event(&loaded.row, event_id, event.name, event.status, now)
        })
    }

    /// Returns the rows of the commands that a turn issues; `rows` are those of its events.
    fn commands(&self, turn: &Turn, rows: &[EventRow], own: &[Claim]) -> Vec<CommandRow> {
        let due = self.store.clock().now();
        let issued: HashMap<&str, i64> = rows
            .iter()
            .filter(|row| row.event_type == event_name::COMMAND_ISSUED)
            .filter_map(|row| Some((row.node_id.as_deref()?, row.event_id)))
            .collect();
        let row = |command: &Command| {
            let claimed = own.iter().any(|own| own.command.id == command.id);
            let delay = i64::try_from(command.delay_ms).unwrap_or(i64::MAX / 4);
            Some(CommandRow {
                command_id: command.id.clone(),
                execution_id: rows.first()?.execution_id,
                event_id: *issued.get(command.id.as_str())?,
                step: command.step.clone(),
                worker_id: claimed.then(|| self.local.worker_id().to_owned()),
                lease_until: claimed.then_some(due.saturating_add(LEASE_MS)),
                // One without a delay is due whatever a clock shows.
                not_before: if delay == 0 {
                    0
                } else {
                    due.saturating_add(delay)
                },
                lost: 0,
            })
        };
        turn.commands.iter().filter_map(row).collect()
    }
}

/// Returns an event whose optional fields are empty.
fn bare_event(
    row: &ExecutionRow,
    event_id: i64,
    name: &str,
    status: EventStatus,
    now: i64,
) -> EventRow {
    EventRow {
        execution_id: row.execution_id,
        event_id,
        catalog_id: row.catalog_id,
        event_type: name.to_owned(),
        node_id: None,
        node_name: None,
        status,
        context: None,
        result: None,
        error: None,
        meta: None,
        contents: None,
        duration_ms: None,
        created_at: now,
    }
}
