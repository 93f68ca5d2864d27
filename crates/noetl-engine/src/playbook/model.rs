//! The types of a playbook and its steps.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::graph::Graph;
use super::json_schema::Schema;
use super::task::{Assignment, Retry, Task};
use crate::field::Field;
use noetl_api::{Place, Problem};

/// A playbook that can run.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The file or catalog path it was read from, for messages.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// The path in a catalog: `metadata.path`, else its name.
    pub path: String,
    /// `metadata.description`.
    pub description: Option<String>,
    /// `executor`.
    pub executor: Executor,
    /// Default values, which a payload overrides key by key.
    pub workload: Map<String, Json>,
    /// Whether the workload has the entry `spec` from the root of an old playbook.
    pub(crate) has_spec: bool,
    /// `workload_schema`: what the values of an execution must be.
    pub(crate) workload_schema: Option<Schema>,
    /// `on_error`: steps that run when the execution has failed, unless the step that failed has its own.
    pub on_error: Vec<String>,
    /// `keychain`: names that stand for credentials of the store.
    pub keychain: Vec<KeychainEntry>,
    /// The steps in the order of the file; never empty.
    pub steps: Vec<Step>,
    pub(crate) graph: Graph,
    /// Problems that do not keep it from running.
    pub warnings: Vec<Problem>,
}

/// `executor`: how the playbook is to be run.
#[derive(Debug, Clone, Default)]
pub struct Executor {
    /// `local`, `distributed` or `auto`, as written.
    pub profile: Option<String>,
    /// The step to begin with; else `start`, else the first.
    pub entry_step: Option<String>,
    /// A step that runs when all others have ended, successfully or not.
    pub final_step: Option<String>,
    /// Whether it is an error when no arc of a step holds.
    pub no_next_is_error: bool,
    /// How often steps may run in one execution; none is the default.
    pub max_runs: Option<u64>,
}

/// One entry of `keychain`.
#[derive(Debug, Clone)]
pub struct KeychainEntry {
    /// The name under `keychain.` in templates.
    pub name: String,
    /// The credential of the store that it stands for.
    pub credential: String,
}

/// A step of a workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, unique in the playbook.
    pub name: String,
    /// `desc`.
    pub description: Option<String>,
    /// Where it begins.
    pub place: Place,
    /// Conditions of admission: the first one that holds decides.
    pub admit: Vec<Admission>,
    /// Arguments that the step's templates and tools can use.
    pub args: Vec<Field>,
    /// `loop`: runs the tasks once for each item.
    pub for_each: Option<Loop>,
    /// The pipeline; a step without tasks only routes.
    pub tasks: Arc<[Task]>,
    /// Assignments after the step succeeded.
    pub set: Vec<Assignment>,
    /// Rules over the step's events.
    pub cases: Vec<Case>,
    /// Saves the result after success.
    pub sink: Option<Task>,
    /// The steps that follow.
    pub next: Next,
    /// `on_error`: steps that run when this one fails the execution.
    pub on_error: Vec<String>,
}

/// A condition of admission: `spec.policy.admit.rules`, or a step's `when`.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The condition; without one it always holds.
    pub when: Option<Field>,
    /// Whether the step runs when the condition holds.
    pub allow: bool,
}

/// `loop`.
#[derive(Debug, Clone)]
pub struct Loop {
    /// What it goes over.
    pub(crate) items: Items,
    /// The name of the current item.
    pub iterator: String,
    /// How many iterations may run at once, a template or a number; 1 is sequential.
    pub max_in_flight: Field,
}

/// What a loop goes over.
#[derive(Debug, Clone)]
pub(crate) enum Items {
    /// A list.
    List(Box<Field>),
    /// Rows that statements claim.
    Cursor(Box<Cursor>),
}

/// `loop.cursor`: rows that a statement claims, again and again until it returns none.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    /// The statement; it sees `__frame_max_rows`.
    pub(crate) claim: Task,
    /// How many rows one claim may return.
    pub(crate) max_rows: u64,
    /// Whether each row is an item, else all rows of a claim are one.
    pub(crate) by_row: bool,
}

/// One rule of `case`.
#[derive(Debug, Clone)]
pub struct Case {
    /// The condition; without one it always holds.
    pub when: Option<Field>,
    /// The actions, in order.
    pub then: Vec<Action>,
}

/// An action of a case rule.
#[derive(Debug, Clone)]
pub enum Action {
    /// Goes to steps.
    Next(Vec<Edge>),
    /// Starts a step in addition to those that follow.
    Call(Edge),
    /// Sets variables.
    Set(Vec<Assignment>),
    /// Replaces the step's result.
    Result(Field),
    /// Collects a part of the response.
    Collect(Collect),
    /// Calls the tool again.
    Repeat(Repeat),
    /// Saves a value.
    Sink(Box<Task>),
    /// Ends the step as a failure.
    Fail(Field),
}

/// `collect`: collects pages or items.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Path inside the response.
    pub path: Option<Field>,
    /// A template in place of a path.
    pub from: Option<Field>,
    /// The variable to collect in.
    pub into: Option<String>,
    /// Whether a new value replaces the old one.
    pub replace: bool,
}

/// `retry` of a case rule: another attempt, or a call for the next page.
#[derive(Debug, Clone)]
pub struct Repeat {
    /// How often and after what delay.
    pub retry: Retry,
    /// Fields of the tool that differ in the next call, such as `params`. With some it is a next page,
    /// without it is another attempt.
    pub overrides: Vec<Field>,
    /// Whether the playbook sets no limit to the number of pages.
    pub unbounded: bool,
}

/// `next`: the steps that follow.
#[derive(Debug, Clone, Default)]
pub struct Next {
    /// Whether every edge that holds is taken, or only the first.
    pub inclusive: bool,
    /// The edges in order.
    pub edges: Vec<Edge>,
}

/// An edge to another step: an entry of `next`, an arc of a router.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The target's name.
    pub step: String,
    /// The condition; without one it always holds.
    pub when: Option<Field>,
    /// Arguments for the target.
    pub args: Vec<Field>,
    /// Assignments when it is taken.
    pub set: Vec<Assignment>,
    /// Where it is written.
    pub place: Place,
}

impl Playbook {
    /// Returns the step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.graph.number(name).map(|number| &self.steps[number])
    }

    /// Returns the steps that a step waits for when they are under way: several lead to it, and it runs once. Empty
    /// for other steps.
    pub fn joined_by(&self, name: &str) -> Vec<&str> {
        let number = self.graph.number(name);
        let joined = number.filter(|number| self.graph.is_join(*number));
        let sources = joined.map_or(&[] as &[usize], |number| self.graph.sources(number));
        sources
            .iter()
            .map(|source| self.steps[*source].name.as_str())
            .collect()
    }

    /// Returns the tasks of all steps, sinks and claims of cursors included.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.steps.iter().flat_map(|step| {
            let claim = match step.for_each.as_ref().map(|each| &each.items) {
                Some(Items::Cursor(cursor)) => Some(&cursor.claim),
                _ => None,
            };
            step.all_tasks().chain(claim)
        })
    }

    /// Returns the step that runs first: `executor.spec.entry_step`, else `start`, else the first one.
    pub fn entry(&self) -> &Step {
        self.executor
            .entry_step
            .as_deref()
            .and_then(|name| self.step(name))
            .or_else(|| self.step("start"))
            .unwrap_or(&self.steps[0])
    }
}
