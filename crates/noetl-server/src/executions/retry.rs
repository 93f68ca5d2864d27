//! Retries an execution that failed or was cancelled: starts one that has the results of what ended well, and runs what
//! failed and what had not been reached.
//!
//! The new execution's machine takes the outcomes in the log of the other one, in their order, as if a worker had reported
//! them. An outcome is given to the call of the same step, item, tool and attempt that has the same arguments; such calls
//! are counted in the order in which they were issued. An outcome for which there is no such call is not used.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use noetl_api::{ExecutionStatus, Failure};
use noetl_engine::execution::{Attempt, Command, Event, Machine, Outcome, Turn, event_name};
use serde_json::{Map, Value as Json};
use sqlx::AnyConnection;

use self::course::{Call, Course};
use super::error::RunError;
use super::restore::recorded_outcome;
use super::service::Executions;
use super::start::{Start, Started};
use crate::store::{CatalogEntry, ExecutionRow, Store};

mod course;

/// What two calls must have in common for one to take the outcome of the other, besides their number and their arguments.
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
        let tool = command.tasks.first().map(|task| task.kind.name());
        Self {
            step: command.step.clone(),
            item: command.iteration.and_then(|item| u64::try_from(item).ok()),
            tool: tool.unwrap_or_default().to_owned(),
            attempt: command.attempt.into(),
        }
    }
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

/// The items of loops, by step and index, as `loop.item` events tell them.
#[derive(Debug, Default)]
struct Items(HashMap<(String, u64), Json>);

impl Items {
    fn take(&mut self, step: Option<&str>, context: &mut Json) {
        if let Some((step, index)) = step.zip(context["index"].as_u64()) {
            self.0
                .insert((step.to_owned(), index), context["item"].take());
        }
    }

    fn of(&self, kind: &Kind) -> Option<&Json> {
        self.0.get(&(kind.step.clone(), kind.item?))
    }
}

/// An outcome that may be given to a call of the new execution.
#[derive(Debug)]
struct KeptOutcome {
    /// The event that recorded it.
    event_id: i64,
    outcome: Outcome,
    args: Map<String, Json>,
    item: Option<Json>,
}

/// The outcomes of an execution that another one begins with, by kind and number.
#[derive(Debug, Default)]
pub(super) struct Kept {
    outcomes: HashMap<(Kind, usize), KeptOutcome>,
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
            retry_of: Some((row.execution_id, row.shown_id())),
            target: row.target,
            idempotency_key,
            ..Start::default()
        };
        self.start_with(entry, start, kept).await
    }
}

/// Reads the outcomes that may be kept.
async fn read_kept(connection: &mut AnyConnection, execution_id: i64) -> Result<Kept, RunError> {
    let mut course = Course::read(connection, execution_id).await?;
    course.forget_failed();
    let mut kept = Kept {
        holder: format!("execution-{execution_id}"),
        ..Kept::default()
    };
    let mut after = 0;
    loop {
        let page = Store::inputs(connection, execution_id, after).await?;
        let Some(last) = page.last() else { break };
        after = last.event_id;
        for event in page.iter().filter(|event| event.meta.is_some()) {
            let command = event.node_id.as_deref().unwrap_or_default();
            let Some(call) = course.calls.remove(command) else {
                continue;
            };
            let (mut outcome, _) = recorded_outcome(connection, event).await?;
            outcome.input = course::context_of(event)["input"].take();
            let Call {
                kind,
                number,
                args,
                item,
                attempts,
            } = call;
            outcome.attempts = attempts;
            let kept_outcome = KeptOutcome {
                event_id: event.event_id,
                outcome,
                args,
                item,
            };
            kept.outcomes.insert((kind, number), kept_outcome);
        }
    }
    Ok(kept)
}

impl Kept {
    /// Gives a machine that has begun the outcomes of its calls, until there are none for those that are left. Adds what
    /// follows to the turn; returns the outcomes that were used, by the ids of their commands.
    pub(super) fn replay(
        mut self,
        machine: &mut Machine,
        turn: &mut Turn,
    ) -> HashMap<String, Outcome> {
        let mut used = HashMap::new();
        if self.outcomes.is_empty() {
            return used;
        }
        let (mut counter, mut items, mut seen) = (Counter::default(), Items::default(), 0);
        // By the events that recorded them, the oldest first.
        let mut ready = BinaryHeap::new();
        let mut found = HashMap::new();
        // By number, since outcomes may drop some of them.
        let mut left = Vec::new();
        loop {
            for event in &turn.events[seen..] {
                items.take_event(event);
            }
            seen = turn.events.len();
            for command in std::mem::take(&mut turn.commands) {
                let kind = Kind::of(&command);
                let number = counter.number(&kind);
                match self.take(kind, number, &command, &items) {
                    None => left.push(command),
                    Some(kept) => {
                        ready.push(Reverse((kept.event_id, command.id.clone())));
                        found.insert(command.id, kept.outcome);
                    }
                }
            }
            let Some(Reverse((_, command_id))) = ready.pop() else {
                break;
            };
            let Some(outcome) = found.remove(&command_id) else {
                continue;
            };
            let claimed = machine.claimed(&command_id, &self.holder);
            // A command that an earlier outcome has dropped takes none.
            let Ok(next) = machine.complete(&command_id, outcome.clone()) else {
                continue;
            };
            turn.events.extend(claimed);
            turn.events.extend(next.events);
            turn.dropped.extend(next.dropped);
            turn.commands = next.commands;
            used.insert(command_id, outcome);
        }
        let is_pending = |command: &Command| machine.command(&command.id).is_some();
        left.retain(is_pending);
        turn.commands = left;
        used
    }

    /// Returns the outcome for a call, if it is called as it was.
    fn take(
        &mut self,
        kind: Kind,
        number: usize,
        command: &Command,
        items: &Items,
    ) -> Option<KeptOutcome> {
        let item = items.of(&kind).cloned();
        let kept = self.outcomes.remove(&(kind, number))?;
        (kept.args == command.args && kept.item == item).then_some(kept)
    }
}

impl Items {
    fn take_event(&mut self, event: &Event) {
        if event.name == event_name::LOOP_ITEM {
            self.take(event.step.as_deref(), &mut event.context.clone());
        }
    }
}

#[cfg(test)]
mod tests;
