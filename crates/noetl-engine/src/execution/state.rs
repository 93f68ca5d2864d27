//! The machine's state, its inputs, and how an execution ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use minijinja::Value;
use noetl_api::{EventStatus, ExecutionStatus};
use serde_json::{Map, Value as Json};

use super::event_name::{
    COMMAND_CLAIMED, COMMAND_STARTED, EXECUTION_CANCELLED, PLAYBOOK_COMPLETED, PLAYBOOK_FAILED,
    PLAYBOOK_INITIALIZED, STEP_ENTER, WORKFLOW_COMPLETED, WORKFLOW_FAILED, WORKFLOW_INITIALIZED,
};
use super::frame::{Pending, Run, StepRecord, Work};
use super::workload::{filled, merge};
use super::{Command, Event, Outcome, Turn};
use crate::playbook::Playbook;
use crate::template::{from_json, to_json};
use crate::tool::Failure;

/// How often steps may run in one execution: a bound on workflows that go round for ever.
const MAX_RUNS: u64 = 100_000;

/// The command is not one that the execution waits for: it has an outcome already, or was dropped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the execution does not wait for command `{0}`")]
pub struct Unknown(pub String);

/// One execution of a playbook.
#[derive(Debug)]
pub struct Machine {
    pub(super) playbook: Arc<Playbook>,
    pub(super) execution_id: String,
    pub(super) workload: Map<String, Json>,
    pub(super) workload_value: Value,
    pub(super) ctx: BTreeMap<String, Value>,
    pub(super) results: BTreeMap<String, StepRecord>,
    pub(super) loop_results: Option<Value>,
    pub(super) runs: BTreeMap<u64, Run>,
    /// Commands without an outcome, by their number.
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) ending: Option<Map<String, Json>>,
    /// What is left of the turn.
    pub(super) ready: VecDeque<Work>,
    pub(super) turn: Turn,
    pub(super) run_count: u64,
    pub(super) command_count: u64,
    pub(super) status: ExecutionStatus,
    pub(super) failure: Option<Failure>,
    pub(super) last_result: Json,
    /// The references that `secrets` tasks gave.
    pub(super) secrets: Vec<Json>,
    completed: Vec<String>,
    final_step_ran: bool,
}

impl Machine {
    /// An execution that has not begun. `payload` overrides the playbook's workload key by key.
    pub fn new(playbook: Arc<Playbook>, execution_id: &str, payload: &Map<String, Json>) -> Self {
        let mut workload = playbook.workload.clone();
        for (key, value) in payload {
            merge(&mut workload, key, value);
        }
        let workload = filled(workload, payload, execution_id);
        Self {
            workload_value: from_json(&Json::Object(workload.clone())),
            workload,
            playbook,
            execution_id: execution_id.to_owned(),
            ctx: BTreeMap::new(),
            results: BTreeMap::new(),
            loop_results: None,
            runs: BTreeMap::new(),
            pending: BTreeMap::new(),
            ending: None,
            ready: VecDeque::new(),
            turn: Turn::default(),
            run_count: 0,
            command_count: 0,
            status: ExecutionStatus::Running,
            failure: None,
            last_result: Json::Null,
            secrets: Vec::new(),
            completed: Vec::new(),
            final_step_ran: false,
        }
    }

    /// Begins at `target`, or where the playbook says.
    pub fn start(&mut self, target: Option<&str>) -> Turn {
        let workload = Json::Object(self.workload.clone());
        self.emit(PLAYBOOK_INITIALIZED, EventStatus::Started, |event| {
            event.context = serde_json::json!({ "workload": workload, "target": target });
        });
        self.emit(WORKFLOW_INITIALIZED, EventStatus::Started, |_| {});
        let entry = target.map_or_else(|| self.playbook.entry().name.clone(), str::to_owned);
        if self.playbook.step(&entry).is_none() && entry != "end" {
            self.fail(Failure::new(
                "target",
                format!("there is no step `{entry}` to begin at"),
            ));
        } else {
            self.arrive(&entry, Map::new());
        }
        self.finish_turn()
    }

    /// Takes the outcome of a command.
    ///
    /// # Errors
    /// When the execution does not wait for it.
    pub fn complete(&mut self, command_id: &str, outcome: Outcome) -> Result<Turn, Unknown> {
        let number = self
            .number(command_id)
            .ok_or_else(|| Unknown(command_id.to_owned()))?;
        let Some(Pending { mut frame, command }) = self.pending.remove(&number) else {
            return Err(Unknown(command_id.to_owned()));
        };
        frame.command_id = Some(command_id.to_owned());
        let mut outcome = outcome;
        if outcome.error.is_some() {
            // The log keeps one of the two, and a machine brought back from it must see the same.
            outcome.result = Json::Null;
        }
        self.secrets.extend(command.references(&outcome));
        self.returned(frame, outcome);
        Ok(self.finish_turn())
    }

    /// Ends the execution before its time. A second time changes nothing.
    pub fn cancel(&mut self, reason: &str) -> Turn {
        if !self.status.is_final() {
            self.drop_all();
            self.status = ExecutionStatus::Cancelled;
            self.emit(EXECUTION_CANCELLED, EventStatus::Cancelled, |event| {
                event.context = serde_json::json!({ "reason": reason });
            });
        }
        self.take_turn()
    }

    /// The events of a worker taking up a command.
    pub fn claimed(&mut self, command_id: &str, worker: &str) -> Vec<Event> {
        let number = self.number(command_id);
        let Some(pending) = number.and_then(|number| self.pending.get(&number)) else {
            return Vec::new();
        };
        let (run, step) = (pending.frame.run, pending.command.step.clone());
        let event = |name, status| Event {
            name,
            step: Some(step.clone()),
            command_id: Some(command_id.to_owned()),
            status,
            context: serde_json::json!({ "worker_id": worker }),
            result: Json::Null,
            error: None,
            duration_ms: None,
        };
        let mut events = vec![
            event(COMMAND_CLAIMED, EventStatus::Running),
            event(COMMAND_STARTED, EventStatus::Running),
        ];
        if let Some(run) = self.runs.get_mut(&run)
            && !std::mem::replace(&mut run.entered, true)
        {
            events.push(event(STEP_ENTER, EventStatus::Running));
        }
        events
    }

    /// Commands without an outcome, oldest first.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.pending.values().map(|pending| &pending.command)
    }

    /// The command of that id, while it has no outcome.
    pub fn command(&self, command_id: &str) -> Option<&Command> {
        let number = self.number(command_id)?;
        self.pending.get(&number).map(|pending| &pending.command)
    }

    /// The number at the end of a command's id, if the execution waits for that command.
    fn number(&self, command_id: &str) -> Option<u64> {
        let number = command_id.rsplit(':').next()?.parse().ok()?;
        let pending = self.pending.get(&number)?;
        (pending.command.id == command_id).then_some(number)
    }

    /// Where the execution stands.
    pub fn status(&self) -> ExecutionStatus {
        self.status
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What the last step with a result gave.
    pub fn result(&self) -> &Json {
        &self.last_result
    }

    /// The result of a step that has ended well.
    pub fn step_result(&self, step: &str) -> Option<Json> {
        self.results.get(step).map(|record| to_json(&record.value))
    }

    /// Steps that have ended well, in order, each once.
    pub fn completed_steps(&self) -> &[String] {
        &self.completed
    }

    /// The variables: the workload, and what steps have set.
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

    /// The playbook.
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
            result: Json::Null,
            error: None,
            duration_ms: None,
        };
        fill(&mut event);
        self.turn.events.push(event);
    }

    /// Keeps what a step gave; the answer is what it gave before.
    pub(super) fn record(&mut self, step: usize, record: StepRecord) -> Option<StepRecord> {
        self.results
            .insert(self.playbook.steps[step].name.clone(), record)
    }

    /// Takes back what [`Self::record`] did.
    pub(super) fn restore(&mut self, step: usize, before: Option<StepRecord>) {
        let name = &self.playbook.steps[step].name;
        match before {
            Some(record) => self.results.insert(name.clone(), record),
            None => self.results.remove(name),
        };
    }

    /// Notes a step that ended well.
    pub(super) fn completed(&mut self, step: usize) {
        let name = self.playbook.steps[step].name.clone();
        let json = self
            .results
            .get(&name)
            .map(|record| to_json(&record.value))
            .unwrap_or_default();
        // A final step tidies up; what the work itself gave stays the result.
        let says_something =
            !json.is_null() && json.as_object().is_none_or(|object| !object.is_empty());
        if says_something && !self.final_step_ran {
            self.last_result = json;
        }
        if !self.completed.contains(&name) {
            self.completed.push(name);
        }
    }

    /// A token for another run of a step; none when there have been too many.
    pub(super) fn token(&mut self) -> Option<u64> {
        self.run_count += 1;
        // The final step may still run, with what it leads to.
        let bound = MAX_RUNS + if self.final_step_ran { 1_000 } else { 0 };
        if self.run_count > bound {
            self.fail(
                Failure::new(
                    "limit",
                    format!("steps ran {MAX_RUNS} times without an end"),
                )
                .help("let an arc out of the cycle hold, or split the work into sub-playbooks"),
            );
            return None;
        }
        Some(self.run_count)
    }

    /// The execution fails; what is still under way is dropped.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.failure.is_none() {
            self.failure = Some(failure);
        }
        self.drop_all();
    }

    fn drop_all(&mut self) {
        self.runs.clear();
        self.ready.clear();
        self.ending = None;
        self.turn.commands.clear();
        let pending = std::mem::take(&mut self.pending);
        self.turn
            .dropped
            .extend(pending.into_values().map(|pending| pending.command.id));
    }

    /// When no token is left: the parked `end`, the final step, then the end itself.
    fn finish_turn(&mut self) -> Turn {
        loop {
            while let Some(work) = self.ready.pop_front() {
                self.work(work);
            }
            if self.status != ExecutionStatus::Running || !self.runs.is_empty() {
                break;
            }
            if self.failure.is_none()
                && let Some(args) = self.ending.take()
            {
                // A final step that is the end has then run.
                let last = self.playbook.executor.final_step.as_deref();
                self.final_step_ran |= last.is_some_and(|last| last.eq_ignore_ascii_case("end"));
                self.enter_end(args);
                continue;
            }
            let last = self.playbook.executor.final_step.clone();
            if let Some(step) = last.filter(|_| !self.final_step_ran) {
                self.final_step_ran = true;
                self.enter_named(&step, Map::new());
                continue;
            }
            self.finish();
        }
        self.take_turn()
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Enter { step, args } => self.enter_named(&step, args),
            Work::Returned { frame, outcome } => self.returned(*frame, *outcome),
            Work::Iterate(run) => self.iterate(run),
        }
    }

    fn finish(&mut self) {
        let error = self.failure.clone();
        let (status, workflow, playbook) = match &error {
            None => (
                ExecutionStatus::Completed,
                WORKFLOW_COMPLETED,
                PLAYBOOK_COMPLETED,
            ),
            Some(_) => (ExecutionStatus::Failed, WORKFLOW_FAILED, PLAYBOOK_FAILED),
        };
        self.status = status;
        let result = if error.is_none() {
            self.last_result.clone()
        } else {
            Json::Null
        };
        self.emit(workflow, status.into(), |event| {
            event.error.clone_from(&error)
        });
        self.emit(playbook, status.into(), |event| {
            event.result = result;
            event.error = error;
        });
    }

    fn take_turn(&mut self) -> Turn {
        std::mem::take(&mut self.turn)
    }
}
