//! The state of an execution, and its basic changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Map, Value as Json};

use super::frame::{Frame, LoopState, PendingCommand, StepRun, StoredResult, Waiting, Work};
use super::workload::{evaluate_defaults, given_values, merge};
use super::{Event, Turn};
use crate::command::SecretSource;
use crate::command::{Command, Outcome};
use crate::playbook::{Playbook, Step};
use crate::template::{from_json, to_json};
use noetl_api::{EventStatus, ExecutionStatus, Failure, Problems};

/// How often steps may run in one execution, unless its playbook says so: a bound on workflows that would not end.
const MAX_RUNS: u64 = 100_000;
/// Further runs for the final step and the steps that it leads to.
const MAX_FINAL_RUNS: u64 = 1_000;

/// One execution of a playbook.
#[derive(Debug)]
pub struct Machine {
    pub(super) playbook: Arc<Playbook>,
    pub(super) execution_id: String,
    /// What templates and code see as the id of the execution: that of the first one, in an execution that retries another.
    pub(super) shown_id: String,
    pub(super) workload: Map<String, Json>,
    pub(super) workload_value: Value,
    pub(super) ctx: BTreeMap<String, Value>,
    /// Results of steps that have ended, by name.
    pub(super) results: BTreeMap<String, StoredResult>,
    /// The result of the last loop.
    pub(super) loop_results: Option<Value>,
    /// Steps under way, by the id of their run.
    pub(super) runs: BTreeMap<u64, StepRun>,
    /// Commands without an outcome, by their number.
    pub(super) pending: BTreeMap<u64, PendingCommand>,
    /// Steps that wait for other branches.
    pub(super) waiting: Vec<Waiting>,
    /// Work that is left of the turn.
    pub(super) queue: VecDeque<Work>,
    pub(super) turn: Turn,
    pub(super) run_count: u64,
    pub(super) command_count: u64,
    pub(super) status: ExecutionStatus,
    pub(super) failure: Option<Failure>,
    pub(super) last_result: Value,
    /// The references that `secrets` tasks gave.
    pub(super) secrets: Vec<Json>,
    /// What steps were given secrets from.
    pub(super) given: Vec<SecretSource>,
    /// The steps that have ended as a success, in order, each once.
    pub(super) completed: Vec<String>,
    pub(super) is_completed: Vec<bool>,
    pub(super) final_step_ran: bool,
    /// Steps of `on_error` that wait for the end of what is under way.
    pub(super) on_error: Vec<String>,
}

impl Machine {
    /// Returns an execution that has not begun. `payload` overrides the playbook's workload key by key.
    pub fn new(playbook: Arc<Playbook>, execution_id: &str, payload: &Map<String, Json>) -> Self {
        Self::retrying(playbook, execution_id, execution_id, payload)
    }

    /// Returns the same for an execution that retries another one, whose results it will have. `shown_id` is the id that
    /// templates and code see: what earlier steps stored under that id is found by later ones.
    pub fn retrying(
        playbook: Arc<Playbook>,
        execution_id: &str,
        shown_id: &str,
        payload: &Map<String, Json>,
    ) -> Self {
        let mut workload = playbook.workload.clone();
        let given = given_values(&playbook, payload);
        for (key, value) in &given {
            merge(&mut workload, key, value);
        }
        let workload = evaluate_defaults(workload, &given, shown_id);
        Self {
            workload_value: from_json(&Json::Object(workload.clone())),
            workload,
            playbook,
            execution_id: execution_id.to_owned(),
            shown_id: shown_id.to_owned(),
            ctx: BTreeMap::new(),
            results: BTreeMap::new(),
            loop_results: None,
            runs: BTreeMap::new(),
            pending: BTreeMap::new(),
            waiting: Vec::new(),
            queue: VecDeque::new(),
            turn: Turn::default(),
            run_count: 0,
            command_count: 0,
            status: ExecutionStatus::Running,
            failure: None,
            last_result: Value::from(()),
            secrets: Vec::new(),
            given: Vec::new(),
            completed: Vec::new(),
            is_completed: Vec::new(),
            final_step_ran: false,
            on_error: Vec::new(),
        }
    }

    /// Checks the workload, the playbook's defaults under the payload, against the playbook's `workload_schema`.
    ///
    /// # Errors
    /// Returns each value that does not fit, and each that has to be given and is not. Then the execution is not to be
    /// started.
    pub fn check_workload(&self) -> Result<(), Problems> {
        match self.playbook.misfits(&self.workload) {
            none if none.0.is_empty() => Ok(()),
            problems => Err(problems),
        }
    }

    /// Returns the commands without an outcome, oldest first.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.pending.values().map(|pending| &pending.command)
    }

    /// Returns the command of that id, while it has no outcome.
    pub fn command(&self, command_id: &str) -> Option<&Command> {
        let number = self.pending_number(command_id)?;
        self.pending.get(&number).map(|pending| &pending.command)
    }

    /// Returns the number at the end of a command's id, while the command has no outcome.
    pub(super) fn pending_number(&self, command_id: &str) -> Option<u64> {
        let number = command_id.rsplit(':').next()?.parse().ok()?;
        let pending = self.pending.get(&number)?;
        (pending.command.id == command_id).then_some(number)
    }

    /// Returns the status of the execution.
    pub fn status(&self) -> ExecutionStatus {
        self.status
    }

    /// Returns why the execution failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns the result of the last step that had one; null when the execution has failed or was cancelled.
    pub fn result(&self) -> Json {
        match self.status {
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => Json::Null,
            _ => to_json(&self.last_result),
        }
    }

    /// Returns the result of a step that has ended as a success.
    pub fn step_result(&self, step: &str) -> Option<Json> {
        self.results.get(step).map(|result| to_json(&result.value))
    }

    /// Returns the steps that have ended as a success, in order, each once.
    pub fn completed_steps(&self) -> &[String] {
        &self.completed
    }

    /// Returns the variables: the workload, overridden by what steps have set.
    pub fn variables(&self) -> Map<String, Json> {
        let mut variables = self.workload.clone();
        variables.extend(
            self.ctx
                .iter()
                .map(|(name, value)| (name.clone(), to_json(value))),
        );
        variables
    }

    /// Sets variables from outside.
    pub fn set_variables(&mut self, variables: &Map<String, Json>) {
        self.ctx.extend(
            variables
                .iter()
                .map(|(name, value)| (name.clone(), from_json(value))),
        );
    }

    /// Returns the playbook.
    pub fn playbook(&self) -> &Arc<Playbook> {
        &self.playbook
    }

    pub(super) fn emit(
        &mut self,
        name: &'static str,
        status: EventStatus,
        fill: impl FnOnce(&mut Event),
    ) {
        let mut event = Event {
            name,
            step: None,
            command_id: None,
            status,
            context: Json::Null,
            result: Value::from(()),
            error: None,
            duration_ms: None,
        };
        fill(&mut event);
        self.turn.events.push(event);
    }

    /// Returns the step of a run.
    pub(super) fn step_of(&self, run: u64) -> Option<&Step> {
        self.runs
            .get(&run)
            .map(|run| &self.playbook.steps[run.step])
    }

    /// Returns the state of the loop of a step run.
    pub(super) fn loop_of(&mut self, run: u64) -> Option<&mut LoopState> {
        self.runs.get_mut(&run)?.loop_state.as_mut()
    }

    /// Returns the variables of a frame's iteration.
    pub(super) fn iteration_variables(
        &mut self,
        frame: &Frame,
    ) -> Option<&mut BTreeMap<String, Value>> {
        let loop_state = self.loop_of(frame.run)?;
        loop_state.variables.get_mut(frame.iteration?)
    }

    /// Has a step treated as a call that failed, before there is a command.
    pub(super) fn queue_failure(&mut self, run: u64, iteration: Option<usize>, failure: Failure) {
        let frame = Box::new(Frame::new(run, iteration));
        let outcome = Box::new(Outcome::failed(failure));
        self.queue.push_back(Work::Returned { frame, outcome });
    }

    /// Stores the result of a step and returns the one before.
    pub(super) fn store_result(
        &mut self,
        step: usize,
        result: StoredResult,
    ) -> Option<StoredResult> {
        self.results
            .insert(self.playbook.steps[step].name.clone(), result)
    }

    /// Undoes [`Self::store_result`], which returned `before`.
    pub(super) fn restore_result(&mut self, step: usize, before: Option<StoredResult>) {
        let name = &self.playbook.steps[step].name;
        match before {
            Some(result) => self.results.insert(name.clone(), result),
            None => self.results.remove(name),
        };
    }

    /// Records that a step has ended as a success.
    pub(super) fn record_completed(&mut self, step: usize) {
        let name = self.playbook.steps[step].name.clone();
        let result = self.results.get(&name).map(|result| result.value.clone());
        let result = result.unwrap_or_default();
        let is_nothing = result.is_undefined() || result.is_none();
        let is_empty = result.kind() == ValueKind::Map && result.len() == Some(0);
        let has_content = !is_nothing && !is_empty;
        // The final step and those of `on_error` do not change the result of the execution.
        if has_content && !self.final_step_ran && self.failure.is_none() {
            self.last_result = result;
        }
        self.is_completed.resize(self.playbook.steps.len(), false);
        if !std::mem::replace(&mut self.is_completed[step], true) {
            self.completed.push(name);
        }
    }

    /// Returns the id for another run of a step. When there have been too many runs, the execution fails.
    pub(super) fn new_run_id(&mut self) -> Option<u64> {
        self.run_count += 1;
        let max_runs = self.playbook.executor.max_runs.unwrap_or(MAX_RUNS);
        let bound = max_runs
            + if self.final_step_ran || self.failure.is_some() {
                MAX_FINAL_RUNS
            } else {
                0
            };
        if self.run_count > bound {
            self.fail(
                Failure::new(
                    "limit",
                    format!("steps ran {max_runs} times without an end"),
                )
                .help(
                    "let an arc out of the cycle hold, or allow more with `executor: {spec: {max_runs: N}}`",
                ),
            );
            return None;
        }
        Some(self.run_count)
    }

    /// Fails the execution and drops everything that is under way.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            let failed = failure.place.as_ref();
            let failed = failed.and_then(|place| place.step.as_deref());
            let failed = failed.and_then(|name| self.playbook.step(name));
            self.on_error = match failed.map(|step| &step.on_error) {
                Some(steps) if !steps.is_empty() => steps.clone(),
                _ => self.playbook.on_error.clone(),
            };
            self.failure = Some(failure);
        }
        self.drop_all();
    }

    /// Drops all runs and commands.
    pub(super) fn drop_all(&mut self) {
        self.runs.clear();
        self.queue.clear();
        self.waiting.clear();
        self.turn.commands.clear();
        let pending = std::mem::take(&mut self.pending);
        self.turn
            .dropped
            .extend(pending.into_values().map(|pending| pending.command.id));
    }

    /// Takes the answer to an input.
    pub(super) fn take_turn(&mut self) -> Turn {
        std::mem::take(&mut self.turn)
    }
}
