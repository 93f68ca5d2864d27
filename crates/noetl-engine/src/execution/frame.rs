//! The state of steps under way: runs, loops, and calls that have not reached the end of their step.

use std::collections::{BTreeMap, VecDeque};

use minijinja::Value;
use serde_json::{Map, Value as Json};

use crate::command::{Command, Outcome};
use crate::playbook::{Action, Edge};
use noetl_api::Failure;

/// The result of a step that has ended.
#[derive(Debug, Clone)]
pub(super) struct StoredResult {
    pub(super) value: Value,
    /// Results of the pipeline's tasks by name.
    pub(super) tasks: Value,
}

/// One run of a step, from its entry to its exit.
#[derive(Debug)]
pub(super) struct StepRun {
    /// Index of the step in the playbook.
    pub(super) step: usize,
    /// Arguments from the edge that led here.
    pub(super) args: Map<String, Json>,
    pub(super) loop_state: Option<LoopState>,
    /// Whether the event `step.enter` has been emitted.
    pub(super) entered: bool,
}

/// The state of a loop.
#[derive(Debug)]
pub(super) struct LoopState {
    pub(super) items: Vec<Value>,
    /// Whether there are no further items to come.
    pub(super) is_complete: bool,
    /// Index of the next item.
    pub(super) next: usize,
    /// Iterations that may run at once.
    pub(super) limit: usize,
    pub(super) in_flight: usize,
    /// Results of the iterations by index.
    pub(super) results: Vec<Value>,
    /// Variables of the iterations by index.
    pub(super) variables: Vec<BTreeMap<String, Value>>,
    /// The first failure, after which no iteration is started.
    pub(super) failure: Option<Failure>,
    pub(super) failed_count: usize,
    /// Routes that iterations chose, taken when the loop has ended. Each step is in it once.
    pub(super) routes: Vec<Route>,
}

impl LoopState {
    /// Returns a loop without items, of which `limit` iterations may run at once.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            items: Vec::new(),
            is_complete: false,
            next: 0,
            limit,
            in_flight: 0,
            results: Vec::new(),
            variables: Vec::new(),
            failure: None,
            failed_count: 0,
            routes: Vec::new(),
        }
    }

    /// Adds items at the end.
    pub(super) fn add_items(&mut self, items: impl IntoIterator<Item = Value>) {
        self.items.extend(items);
        self.results.resize(self.items.len(), Value::from(()));
        self.variables.resize_with(self.items.len(), BTreeMap::new);
    }
}

/// An edge that a rule chose, with its arguments as they were then.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) edge: Edge,
    pub(super) args: Map<String, Json>,
}

/// A command without an outcome, and the call that waits for it.
#[derive(Debug)]
pub(super) struct PendingCommand {
    pub(super) frame: Frame,
    pub(super) command: Command,
}

/// A call of a step or iteration, from its command to the end of the step or iteration.
#[derive(Debug)]
pub(super) struct Frame {
    /// The id of the step run.
    pub(super) run: u64,
    pub(super) iteration: Option<usize>,
    /// Attempts at this page, from 1.
    pub(super) attempt: u32,
    /// Pages asked for, from 1.
    pub(super) page: u32,
    /// Fields of the tool that differ for this page.
    pub(super) overrides: Map<String, Json>,
    /// What its command is for.
    pub(super) purpose: Purpose,
    pub(super) phase: Phase,
    pub(super) command_id: Option<String>,
    pub(super) outcome: Outcome,
    /// The response as the rules see it.
    pub(super) response: Value,
    /// Pages or items collected so far.
    pub(super) collected: Option<Vec<Value>>,
    /// Actions that are still to be done.
    pub(super) actions: VecDeque<Action>,
    /// Indexes of the rules that have been applied: a rule is applied once for each call.
    pub(super) applied_rules: Vec<usize>,
    /// Routes that rules chose.
    pub(super) routes: Vec<Route>,
    /// Whether a rule or an edge handles the failure, so that it does not fail the execution.
    pub(super) failure_handled: bool,
}

impl Frame {
    /// Returns the frame of a call that has not been made.
    pub(super) fn new(run: u64, iteration: Option<usize>) -> Self {
        Self {
            run,
            iteration,
            attempt: 1,
            page: 1,
            overrides: Map::new(),
            purpose: Purpose::Call,
            phase: Phase::Call,
            command_id: None,
            outcome: Outcome::default(),
            response: Value::from(()),
            collected: None,
            actions: VecDeque::new(),
            applied_rules: Vec::new(),
            routes: Vec::new(),
            failure_handled: false,
        }
    }

    /// Replaces the outcome by a failure that no rule handles, and drops the actions that are left.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.actions.clear();
        self.failure_handled = false;
        self.outcome = Outcome::failed(failure);
    }

    /// Takes the result of the call: what was collected, else the response.
    pub(super) fn take_result(&mut self) -> Value {
        match self.collected.take() {
            Some(items) => Value::from(items),
            None => self.response.clone(),
        }
    }
}

/// A step that a branch has arrived at, and that waits for others.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) step: String,
    /// Its number; none for an `end` that the playbook does not define.
    pub(super) number: Option<usize>,
    /// The arguments of the edges that led to it. Of two of one name the later one counts.
    pub(super) args: Map<String, Json>,
    /// For each step, whether it is waited for; none when every step is.
    pub(super) ancestors: Option<Vec<bool>>,
}

impl Waiting {
    /// Whether it waits for another step, which runs or waits itself.
    pub(super) fn waits_for(&self, step: Option<usize>) -> bool {
        match (&self.ancestors, step) {
            (None, step) => step.is_none() || step != self.number,
            (Some(ancestors), step) => step.is_some_and(|step| ancestors[step]),
        }
    }
}

/// Work to do before the turn ends. It waits in a queue, so that a cycle of steps without tools needs no
/// call stack.
#[derive(Debug)]
pub(super) enum Work {
    /// Enters a step.
    Enter {
        step: String,
        args: Map<String, Json>,
    },
    /// Takes the outcome of a call that needed no command.
    Returned {
        frame: Box<Frame>,
        outcome: Box<Outcome>,
    },
    /// Starts further iterations of the loop of a step run, or ends it.
    ContinueLoop(u64),
}

/// What the command of a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The tasks of the step.
    Call,
    /// To save a value.
    Sink,
    /// To claim rows for a loop.
    Claim,
}

/// The position of a frame in its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The call.
    Call,
    /// The rules over the step's exit.
    Exit,
    /// The step's sink.
    Sink,
    /// The exit itself.
    Leave,
}
