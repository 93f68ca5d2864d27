//! Starts an execution that begins with the results of another one, which failed or was cancelled: only what failed, and
//! what had not been reached, is run.
//!
//! The new execution's machine takes the outcomes of the other one's log, in their order, as if a worker had reported them.
//! An outcome belongs to the call of the same step, item, tool and attempt, counted in the order in which such calls were
//! issued; one without a call is not used.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use noetl_api::ExecutionStatus;
use noetl_engine::execution::{Command, Outcome, Turn, event_name};
use serde_json::Value as Json;
use sqlx::AnyConnection;

use super::error::RunError;
use super::machines::Loaded;
use super::restore::recorded_outcome;
use super::service::{Executions, Start, Started};
use super::write::VARIABLES_SET;
use crate::store::{CatalogEntry, EventRow, ExecutionRow, Store};

/// What calls have in common that may take each other's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    step: String,
    /// The index of the loop's item.
    item: Option<u64>,
    tool: String,
    attempt: u64,
}

impl Kind {
    fn of(command: &Command) -> Self {
        Self {
            step: command.step.clone(),
            item: command.iteration.and_then(|item| u64::try_from(item).ok()),
            tool: command
                .tasks
                .first()
                .map_or("", |task| task.kind.name())
                .to_owned(),
            attempt: command.attempt.into(),
        }
    }

    /// The kind of a call that an event says was issued.
    fn issued(event: &EventRow) -> Option<Self> {
        let context = context_of(event);
        Some(Self {
            step: event.node_name.clone()?,
            item: context["iteration"].as_u64(),
            tool: context["tool"].as_str().unwrap_or_default().to_owned(),
            attempt: context["attempt"].as_u64().unwrap_or(1),
        })
    }
}

fn context_of(event: &EventRow) -> Json {
    let text = event.context.as_deref().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// Counts the calls of each kind.
#[derive(Debug, Default)]
struct Counter(HashMap<Kind, usize>);

impl Counter {
    /// Returns how many calls of this kind came before.
    fn number(&mut self, kind: &Kind) -> usize {
        let count = self.0.entry(kind.clone()).or_default();
        *count += 1;
        *count - 1
    }
}

/// The outcomes of an execution that another one begins with: by call, with the event that recorded each.
#[derive(Debug, Default)]
pub(super) struct Kept {
    outcomes: HashMap<(Kind, usize), (i64, Outcome)>,
    /// Who is named as the worker of the calls.
    holder: String,
}

impl Executions {
    /// Starts an execution of `entry` with the payload and the results of `row`.
    ///
    /// # Errors
    /// When `row` has not ended, or has completed, and when variables were set by requests, which belong to no step.
    pub(crate) async fn retry(
        &self,
        row: ExecutionRow,
        entry: &CatalogEntry,
        idempotency_key: Option<String>,
    ) -> Result<Started, RunError> {
        match row.status {
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => {}
            ExecutionStatus::Completed => return Err(RunError::Completed(row.execution_id)),
            _ => return Err(RunError::NotEnded(row.execution_id)),
        }
        let mut connection = self.store.read().await?;
        let payload = Store::payload(&mut connection, row.execution_id).await?;
        let kept = read_kept(&mut connection, row.execution_id).await?;
        drop(connection);
        let start = Start {
            payload,
            target: row.target,
            idempotency_key,
            retry_of: Some(row.execution_id),
            ..Start::default()
        };
        self.start_with(entry, start, kept).await
    }
}

/// Reads the outcomes that may be kept: all but the failures of steps that failed and led to no other step.
async fn read_kept(connection: &mut AnyConnection, execution_id: i64) -> Result<Kept, RunError> {
    let mut calls = HashMap::new();
    let mut failed = HashSet::new();
    let (mut counter, mut after) = (Counter::default(), 0);
    loop {
        let page = Store::calls_and_exits(connection, execution_id, after).await?;
        let Some(last) = page.last() else { break };
        after = last.event_id;
        for event in &page {
            match event.event_type.as_str() {
                event_name::COMMAND_ISSUED => {
                    let kind = Kind::issued(event);
                    if let Some((kind, command)) = kind.zip(event.node_id.clone()) {
                        let number = counter.number(&kind);
                        calls.insert(command, (kind, number));
                    }
                }
                event_name::STEP_EXIT if event.error.is_some() && leads_nowhere(event) => {
                    failed.extend(event.node_name.clone());
                }
                VARIABLES_SET => return Err(RunError::VariablesWereSet(execution_id)),
                _ => {}
            }
        }
    }
    let mut kept = Kept {
        holder: format!("execution-{execution_id}"),
        ..Kept::default()
    };
    after = 0;
    loop {
        let page = Store::inputs(connection, execution_id, after).await?;
        let Some(last) = page.last() else { break };
        after = last.event_id;
        for event in &page {
            let command = event.node_id.as_deref().unwrap_or_default();
            let step = event.node_name.as_deref().unwrap_or_default();
            if event.meta.is_none() || (event.error.is_some() && failed.contains(step)) {
                continue;
            }
            if let Some(call) = calls.remove(command) {
                let (outcome, _) = recorded_outcome(connection, event).await?;
                kept.outcomes.insert(call, (event.event_id, outcome));
            }
        }
    }
    Ok(kept)
}

/// Whether a step that has ended is followed by none.
fn leads_nowhere(event: &EventRow) -> bool {
    context_of(event)["next"]
        .as_array()
        .is_none_or(Vec::is_empty)
}

impl Kept {
    /// Gives a machine that has begun the outcomes of its calls, until there are none for those that are left. Adds what
    /// follows to the turn; returns the outcomes that were used, by the ids of their commands.
    pub(super) fn replay(
        mut self,
        loaded: &mut Loaded,
        turn: &mut Turn,
    ) -> HashMap<String, Outcome> {
        let mut used = HashMap::new();
        let mut counter = Counter::default();
        // Those with the oldest events first.
        let mut ready = BinaryHeap::new();
        let mut left = Vec::new();
        let mut found = HashMap::new();
        loop {
            for command in std::mem::take(&mut turn.commands) {
                let kind = Kind::of(&command);
                let number = counter.number(&kind);
                match self.outcomes.remove(&(kind, number)) {
                    None => left.push(command),
                    Some((event_id, outcome)) => {
                        ready.push(Reverse((event_id, command.id.clone())));
                        found.insert(command.id, outcome);
                    }
                }
            }
            let Some(Reverse((_, command_id))) = ready.pop() else {
                break;
            };
            let Some(outcome) = found.remove(&command_id) else {
                continue;
            };
            let claimed = loaded.machine.claimed(&command_id, &self.holder);
            // A command that an earlier outcome has dropped takes none.
            let Ok(next) = loaded.machine.complete(&command_id, outcome.clone()) else {
                continue;
            };
            turn.events.extend(claimed);
            turn.events.extend(next.events);
            left.retain(|command: &Command| !next.dropped.contains(&command.id));
            turn.dropped.extend(next.dropped);
            turn.commands = next.commands;
            used.insert(command_id, outcome);
        }
        turn.commands = left;
        used
    }
}

#[cfg(test)]
mod tests;
