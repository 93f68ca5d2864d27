//! What the machine keeps of steps under way: tokens, loops, and calls that are not settled yet.

use std::collections::{BTreeMap, VecDeque};

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::{Command, Outcome};
use crate::playbook::{Action, Arc as Way, ToolKind};
use crate::tool::{Failure, reference};

/// What a finished step left behind.
#[derive(Debug, Clone)]
pub(super) struct StepRecord {
    pub(super) value: Value,
    pub(super) tasks: Value,
}

/// A token: one run of a step.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) step: usize,
    /// Arguments that the arc brought.
    pub(super) args: Map<String, Json>,
    pub(super) repeat: Option<Iterations>,
    pub(super) entered: bool,
}

/// The state of a loop.
#[derive(Debug)]
pub(super) struct Iterations {
    pub(super) items: Vec<Value>,
    pub(super) next: usize,
    /// Iterations that may run at once.
    pub(super) limit: usize,
    pub(super) in_flight: usize,
    pub(super) results: Vec<Value>,
    pub(super) vars: Vec<BTreeMap<String, Value>>,
    pub(super) failure: Option<Failure>,
    pub(super) failed: usize,
    /// Ways that iterations asked for, taken when the loop has ended: each step once, however many
    /// iterations asked for it.
    pub(super) ways: Vec<Routed>,
}

/// A way that a rule chose, with the arguments as they stood then.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    pub(super) way: Way,
    pub(super) args: Map<String, Json>,
}

/// A command on its way, and what happens when it is back.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) frame: Frame,
    pub(super) command: Command,
}

/// Where a call stands between its outcome and the end of its step.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) run: u64,
    pub(super) iteration: Option<usize>,
    /// Attempts at this page, from 1.
    pub(super) attempt: u32,
    /// Pages asked for, from 1.
    pub(super) page: u32,
    /// Fields of the tool that this page has of its own.
    pub(super) overrides: Map<String, Json>,
    /// Whether it waits for a sink and not for the call.
    pub(super) saving: bool,
    pub(super) phase: Phase,
    pub(super) command_id: Option<String>,
    pub(super) outcome: Outcome,
    /// The response as the rules see it.
    pub(super) response: Value,
    /// Pages or items gathered so far.
    pub(super) collected: Option<Vec<Value>>,
    pub(super) actions: VecDeque<Action>,
    pub(super) fired: Vec<usize>,
    pub(super) ways: Vec<Routed>,
    pub(super) handled: bool,
}

impl Frame {
    /// A call that has not been made.
    pub(super) fn new(run: u64, iteration: Option<usize>) -> Self {
        Self {
            run,
            iteration,
            attempt: 1,
            page: 1,
            overrides: Map::new(),
            saving: false,
            phase: Phase::Call,
            command_id: None,
            outcome: Outcome::default(),
            response: Value::from(()),
            collected: None,
            actions: VecDeque::new(),
            fired: Vec::new(),
            ways: Vec::new(),
            handled: false,
        }
    }
}

/// What is to be done before the turn ends. It waits in a queue, so that a workflow that goes round without
/// a tool needs no stack.
#[derive(Debug)]
pub(super) enum Work {
    /// A token arrives at a step.
    Enter {
        step: String,
        args: Map<String, Json>,
    },
    /// A call is back, or was none.
    Returned {
        frame: Box<Frame>,
        outcome: Box<Outcome>,
    },
    /// A loop may have room for more iterations, or be done.
    Iterate(u64),
}

/// What a frame waits for or does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The call itself.
    Call,
    /// The step's exit.
    Exit,
    /// The step's own sink.
    Sink,
    /// Nothing: the step can be left.
    Leave,
}

impl Command {
    /// The references that its own `secrets` tasks gave: one in another tool's answer is none.
    pub(super) fn references(&self, outcome: &Outcome) -> Vec<Json> {
        let results = self
            .tasks
            .iter()
            .filter(|task| task.kind == ToolKind::Secrets)
            .filter_map(|task| match self.tasks.as_slice() {
                [_] => Some(&outcome.result),
                _ => outcome.tasks.get(&task.name),
            });
        results.flat_map(reference::all).collect()
    }
}
