//! An execution as a state machine: what happened goes in, what is to be done comes out.
//!
//! A [`Machine`] does nothing itself. It is told that it starts, that a command has an outcome or that it
//! is cancelled, and answers with a [`Turn`]: events for the log and commands for whoever runs them. The
//! same inputs in the same order give the same commands, so an execution is brought back by feeding its
//! recorded inputs to a new machine.

mod act;
mod enter;
mod frame;
mod iterate;
mod leave;
mod names;
mod settle;
mod state;
mod workload;

use noetl_api::EventStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub(crate) use enter::spread;
pub(crate) use names::{error_value, outcome_value};
pub use state::{Machine, Unknown};

use crate::playbook::Task;
use crate::tool::Failure;

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
    /// What it says of its execution, step or command.
    pub status: EventStatus,
    /// What went in: arguments, the loop's item, the payload.
    pub context: Json,
    /// What came out.
    pub result: Json,
    /// The failure, if it is one.
    pub error: Option<Failure>,
    /// Milliseconds that it took, for events that end something.
    pub duration_ms: Option<u64>,
}

/// What a worker does: the tasks of a step, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// `<execution>:<step>:<number>`, unique for ever.
    pub id: String,
    /// The execution it belongs to.
    pub execution_id: String,
    /// The step.
    pub step: String,
    /// The iteration of a loop.
    pub iteration: Option<usize>,
    /// Which attempt of the step this is, from 1.
    pub attempt: u32,
    /// Milliseconds to wait before it may run.
    pub delay_ms: u64,
    /// The pipeline.
    pub tasks: Vec<Task>,
    /// Names that the tasks' templates use.
    pub context: Map<String, Json>,
    /// Those of the names that are results of steps, with the results of the steps' tasks.
    pub results: Map<String, Json>,
    /// The arguments of the step.
    pub args: Map<String, Json>,
    /// Fields of the tool that differ in this attempt.
    pub overrides: Map<String, Json>,
    /// Credentials that `keychain.NAME` stands for.
    pub keychain: Vec<(String, String)>,
    /// The references that `secrets` steps gave before: in context and arguments they stand for the secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Json>,
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the last task gave.
    #[serde(default)]
    pub result: Json,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Results of the pipeline's tasks by name, when there are several.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tasks: Map<String, Json>,
    /// Variables that policy rules set in `ctx`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ctx: Map<String, Json>,
    /// Variables that policy rules set in `iter`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub iter: Map<String, Json>,
    /// Milliseconds that it took.
    #[serde(default)]
    pub duration_ms: u64,
}

impl Outcome {
    /// The outcome of a command that could not even begin.
    pub fn failed(failure: Failure) -> Self {
        Self {
            error: Some(failure),
            ..Self::default()
        }
    }
}

/// What a machine answers to an input.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Events in their order.
    pub events: Vec<Event>,
    /// Commands to run.
    pub commands: Vec<Command>,
    /// Commands that nobody waits for any more.
    pub dropped: Vec<String>,
}
