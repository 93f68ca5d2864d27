//! The machine's state, its inputs, and how an execution ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::event_name::{
    COMMAND_CLAIMED, COMMAND_STARTED, EXECUTION_CANCELLED, PLAYBOOK_COMPLETED, PLAYBOOK_FAILED,
    PLAYBOOK_INITIALIZED, STEP_ENTER, WORKFLOW_COMPLETED, WORKFLOW_FAILED, WORKFLOW_INITIALIZED,
};
use super::{Command, Event, Outcome, Status, Turn};
use crate::playbook::{Action, Arc as Way, Field, Playbook};
use crate::template::{from_json, to_json};
use crate::tool::Failure;

/// How often steps may run in one execution: a bound on workflows that go round for ever.
const MAX_RUNS: u64 = 100_000;
/// How many mappings a payload's dotted key may reach into; one with more is a key as it stands.
const MAX_DOTS: usize = 64;

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
    /// Steps to enter and calls that are back without a worker: worked off one by one, never by recursion,
    /// so that no cycle takes the stack.
    pub(super) arrivals: VecDeque<(String, Map<String, Json>)>,
    pub(super) returns: VecDeque<(Frame, Outcome)>,
    pub(super) turn: Turn,
    pub(super) run_count: u64,
    pub(super) command_count: u64,
    pub(super) status: Status,
    pub(super) failure: Option<Failure>,
    pub(super) last_result: Json,
    completed: Vec<String>,
    final_step_ran: bool,
}

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
    /// Ways that iterations asked for, taken when the loop has ended.
    pub(super) ways: Vec<Way>,
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
    pub(super) ways: Vec<Way>,
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
            arrivals: VecDeque::new(),
            returns: VecDeque::new(),
            turn: Turn::default(),
            run_count: 0,
            command_count: 0,
            status: Status::Running,
            failure: None,
            last_result: Json::Null,
            completed: Vec::new(),
            final_step_ran: false,
        }
    }

    /// Begins at `target`, or where the playbook says.
    pub fn start(&mut self, target: Option<&str>) -> Turn {
        let workload = Json::Object(self.workload.clone());
        self.emit(PLAYBOOK_INITIALIZED, "STARTED", |event| {
            event.context = serde_json::json!({ "workload": workload, "target": target });
        });
        self.emit(WORKFLOW_INITIALIZED, "STARTED", |_| {});
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
        let Some(Pending { mut frame, .. }) = self.pending.remove(&number) else {
            return Err(Unknown(command_id.to_owned()));
        };
        frame.command_id = Some(command_id.to_owned());
        self.returned(frame, outcome);
        Ok(self.finish_turn())
    }

    /// Ends the execution before its time. A second time changes nothing.
    pub fn cancel(&mut self, reason: &str) -> Turn {
        if !self.status.is_final() {
            self.drop_all();
            self.status = Status::Cancelled;
            self.emit(EXECUTION_CANCELLED, "CANCELLED", |event| {
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
            event(COMMAND_CLAIMED, "RUNNING"),
            event(COMMAND_STARTED, "RUNNING"),
        ];
        if let Some(run) = self.runs.get_mut(&run)
            && !std::mem::replace(&mut run.entered, true)
        {
            events.push(event(STEP_ENTER, "RUNNING"));
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
    pub fn status(&self) -> Status {
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
        status: &'static str,
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

    /// Notes a step that ended well.
    pub(super) fn record(&mut self, step: usize, record: StepRecord) {
        let name = self.playbook.steps[step].name.clone();
        let json = to_json(&record.value);
        if !json.is_null() && json.as_object().is_none_or(|object| !object.is_empty()) {
            self.last_result = json;
        }
        if !self.completed.contains(&name) {
            self.completed.push(name.clone());
        }
        self.results.insert(name, record);
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
        self.ending = None;
        self.arrivals.clear();
        self.returns.clear();
        self.turn.commands.clear();
        let pending = std::mem::take(&mut self.pending);
        self.turn
            .dropped
            .extend(pending.into_values().map(|pending| pending.command.id));
    }

    /// When no token is left: the parked `end`, the final step, then the end itself.
    fn finish_turn(&mut self) -> Turn {
        loop {
            if let Some((frame, outcome)) = self.returns.pop_front() {
                self.returned(frame, outcome);
                continue;
            }
            if let Some((step, args)) = self.arrivals.pop_front() {
                self.enter_named(&step, args);
                continue;
            }
            if self.status != Status::Running || !self.runs.is_empty() {
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

    fn finish(&mut self) {
        let error = self.failure.clone();
        let (status, name, workflow, playbook) = match &error {
            None => (
                Status::Completed,
                "COMPLETED",
                WORKFLOW_COMPLETED,
                PLAYBOOK_COMPLETED,
            ),
            Some(_) => (Status::Failed, "FAILED", WORKFLOW_FAILED, PLAYBOOK_FAILED),
        };
        self.status = status;
        let result = if error.is_none() {
            self.last_result.clone()
        } else {
            Json::Null
        };
        self.emit(workflow, name, |event| event.error.clone_from(&error));
        self.emit(playbook, name, |event| {
            event.result = result;
            event.error = error;
        });
    }

    fn take_turn(&mut self) -> Turn {
        std::mem::take(&mut self.turn)
    }
}

/// The workload with its own templates filled in: `{{ execution_id }}`, `{{ payload.user }}`. What a
/// payload brought is data and stays as it is; an entry without a value is left out, so that whoever uses
/// it is told.
fn filled(
    workload: Map<String, Json>,
    payload: &Map<String, Json>,
    execution_id: &str,
) -> Map<String, Json> {
    let mut scope: BTreeMap<String, Value> = workload
        .iter()
        .map(|(name, value)| (name.clone(), from_json(value)))
        .collect();
    let given = from_json(&Json::Object(payload.clone()));
    let id = Value::from(execution_id);
    scope.insert(
        "workload".to_owned(),
        from_json(&Json::Object(workload.clone())),
    );
    scope.insert("execution_id".to_owned(), id.clone());
    scope.insert(
        "job".to_owned(),
        Value::from(BTreeMap::from([("uuid", id.clone()), ("id", id)])),
    );
    for name in ["payload", "input", "args"] {
        scope
            .entry(name.to_owned())
            .or_insert_with(|| given.clone());
    }
    scope
        .entry("env".to_owned())
        .or_insert_with(|| from_json(&Json::Object(Map::new())));
    // A default that names itself asks for what the payload would have brought.
    for name in workload.keys().filter(|name| !payload.contains_key(*name)) {
        if workload[name]
            .as_str()
            .is_some_and(crate::template::is_template)
        {
            scope.remove(name);
        }
    }
    let mut filled = Map::new();
    for (name, value) in workload {
        if payload.contains_key(&name) {
            filled.insert(name, value);
            continue;
        }
        let mut field = Field::plain(&name, value);
        field.find_roots();
        match crate::template::render(&field, &scope, crate::template::Style::Json) {
            Ok(value) => filled.insert(name, value),
            Err(_) if field.roots().next().is_none() => filled.insert(name, field.value),
            Err(_) => None,
        };
    }
    filled
}

/// `key` of a payload over the workload: mappings merge, `a.b` reaches into them.
fn merge(workload: &mut Map<String, Json>, key: &str, value: &Json) {
    match (workload.get_mut(key), value) {
        (Some(Json::Object(known)), Json::Object(given)) => {
            for (key, value) in given {
                merge(known, key, value);
            }
        }
        (None, _) if (1..=MAX_DOTS).contains(&key.matches('.').count()) => {
            let (first, rest) = key.split_once('.').unwrap_or((key, ""));
            let first = workload
                .entry(first)
                .or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = first {
                merge(inner, rest, value);
            }
        }
        _ => {
            workload.insert(key.to_owned(), value.clone());
        }
    }
}
