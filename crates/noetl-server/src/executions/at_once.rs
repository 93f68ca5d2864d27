//! Commands that need no worker: they run in the transaction that issues them.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use noetl_engine::execution::{Command, Event, Outcome, Turn, event_name};

use super::local_queue::LocalQueue;
use super::machines::Loaded;

/// The most commands that one transaction runs itself, and for how long: other executions wait for it.
const MOST_AT_ONCE: usize = 100;
const LONGEST_AT_ONCE: Duration = Duration::from_millis(20);

/// Runs the commands that need no worker, and adds what follows to the turn: one transaction then holds many steps.
/// Returns their outcomes by the ids of the commands.
pub(super) fn run_at_once(
    local: &LocalQueue,
    loaded: &mut Loaded,
    turn: &mut Turn,
) -> HashMap<String, Outcome> {
    let mut outcomes = HashMap::new();
    // Without slots of its own, the server leaves every command to workers.
    let Some(_slot) = local.slot() else {
        return outcomes;
    };
    let began = Instant::now();
    let mut waiting = VecDeque::from(std::mem::take(&mut turn.commands));
    while let Some(command) = waiting.pop_front() {
        let has_room = outcomes.len() < MOST_AT_ONCE && began.elapsed() < LONGEST_AT_ONCE;
        let ran = if has_room {
            noetl_engine::run_at_once(&command)
        } else {
            None
        };
        let Some(outcome) = ran else {
            turn.commands.push(command);
            continue;
        };
        let machine = &mut loaded.machine;
        turn.events
            .extend(machine.claimed(&command.id, local.worker_id()));
        let Ok(next) = machine.complete(&command.id, outcome.clone()) else {
            continue;
        };
        outcomes.insert(command.id, outcome);
        let is_kept = |command: &Command| !next.dropped.contains(&command.id);
        turn.commands.retain(is_kept);
        waiting.retain(is_kept);
        turn.events.extend(next.events);
        turn.dropped.extend(next.dropped);
        waiting.extend(next.commands);
    }
    outcomes
}

/// Returns the outcome that an event tells, of those by the ids of their commands.
pub(super) fn outcome_in<'o>(
    outcomes: &'o HashMap<String, Outcome>,
    event: &Event,
) -> Option<&'o Outcome> {
    let command_id = event.command_id.as_deref()?;
    let outcome = outcomes.get(command_id)?;
    is_outcome_of(event, command_id).then_some(outcome)
}

/// Whether an event tells the outcome of this command.
pub(super) fn is_outcome_of(event: &Event, command_id: &str) -> bool {
    event.command_id.as_deref() == Some(command_id)
        && matches!(
            event.name,
            event_name::CALL_DONE
                | event_name::CALL_ERROR
                | event_name::SINK_EXECUTED
                | event_name::SINK_FAILED
        )
}
