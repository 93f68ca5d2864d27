//! An execution as a state machine: its inputs are what happened, its outputs are what to do next.
//!
//! A [`Machine`] has no side effects. Its inputs are the start, the outcome of a command and a
//! cancellation. It answers each with a [`Turn`]: events for the log, and commands for workers. The same
//! inputs in the same order give the same commands, so an execution is rebuilt by giving its recorded inputs
//! to a new machine.

mod action;
mod collection;
mod cursors;
mod enter;
mod evaluate;
mod exit;
mod frame;
mod inputs;
mod issue;
mod iteration;
mod joins;
mod loops;
mod names;
mod parts;
mod rules;
mod state;
mod workload;

use minijinja::Value;
use serde::Serialize;
use serde_json::Value as Json;

pub use inputs::UnknownCommand;
pub use state::Machine;

pub use crate::command::{Attempt, Command, Outcome};
use crate::template::to_json;
use noetl_api::{EventStatus, Failure};

/// Event names, as NoETL's log has always had them.
pub mod event_name {
    /// The execution exists.
    pub const PLAYBOOK_INITIALIZED: &str = "playbook.initialized";
    /// Its workflow begins.
    pub const WORKFLOW_INITIALIZED: &str = "workflow.initialized";
    /// A command waits for a worker.
    pub const COMMAND_ISSUED: &str = "command.issued";
    /// A worker has it.
    pub const COMMAND_CLAIMED: &str = "command.claimed";
    /// The worker began.
    pub const COMMAND_STARTED: &str = "command.started";
    /// The first command of a step began.
    pub const STEP_ENTER: &str = "step.enter";
    /// A call succeeded.
    pub const CALL_DONE: &str = "call.done";
    /// A call failed.
    pub const CALL_ERROR: &str = "call.error";
    /// An attempt ended, and another one follows.
    pub const CALL_RETRIED: &str = "call.retried";
    /// A step has ended.
    pub const STEP_EXIT: &str = "step.exit";
    /// A step was not admitted.
    pub const STEP_SKIPPED: &str = "step.skipped";
    /// A result was saved.
    pub const SINK_EXECUTED: &str = "sink.executed";
    /// A result could not be saved.
    pub const SINK_FAILED: &str = "sink.failed";
    /// A command ended well.
    pub const COMMAND_COMPLETED: &str = "command.completed";
    /// A command ended as a failure.
    pub const COMMAND_FAILED: &str = "command.failed";
    /// An iteration begins.
    pub const LOOP_ITEM: &str = "loop.item";
    /// Every iteration has ended.
    pub const LOOP_DONE: &str = "loop.done";
    /// The workflow ended well.
    pub const WORKFLOW_COMPLETED: &str = "workflow.completed";
    /// The workflow failed.
    pub const WORKFLOW_FAILED: &str = "workflow.failed";
    /// The execution ended well.
    pub const PLAYBOOK_COMPLETED: &str = "playbook.completed";
    /// The execution failed.
    pub const PLAYBOOK_FAILED: &str = "playbook.failed";
    /// The execution was cancelled.
    pub const EXECUTION_CANCELLED: &str = "execution.cancelled";
}

/// A line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// One of [`event_name`].
    pub name: &'static str,
    /// The step, for events of one.
    pub step: Option<String>,
    /// The command, for events of one.
    pub command_id: Option<String>,
    /// The status of its execution, step or command after the event.
    pub status: EventStatus,
    /// What went in: arguments, the loop's item, the payload.
    pub context: Json,
    /// What came out; see [`Event::result`].
    pub(crate) result: Value,
    /// The failure, if it is one.
    pub error: Option<Failure>,
    /// Milliseconds that it took, for events that end something.
    pub duration_ms: Option<u64>,
}

impl Event {
    /// Returns what came out; null when nothing did.
    pub fn result(&self) -> Json {
        to_json(&self.result)
    }
}

/// The answer of a machine to an input.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Events in their order.
    pub events: Vec<Event>,
    /// Commands to run.
    pub commands: Vec<Command>,
    /// Ids of commands whose outcomes are no longer needed.
    pub dropped: Vec<String>,
}
