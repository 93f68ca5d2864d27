//! An execution within one process, for `noetl run`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use tokio::task::{AbortHandle, JoinSet};

use crate::command::{Command, Outcome};
use crate::execution::{Event, Machine, Turn};
use crate::host::Host;
use crate::pipeline;
use crate::playbook::Playbook;
use noetl_api::{ExecutionStatus, Failure, Problems};

/// How a local run ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// Completed or failed.
    pub status: ExecutionStatus,
    /// The result of the last step that had one.
    pub result: Json,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The variables at the end.
    pub variables: Map<String, Json>,
    /// Results of the steps by name.
    pub steps: Map<String, Json>,
}

/// A playbook to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// The id of the execution, which is part of the ids of its commands.
    pub execution_id: &'a str,
    /// Overrides of the workload.
    pub payload: &'a Map<String, Json>,
    /// The step to begin at; none is the playbook's first step.
    pub target: Option<&'a str>,
    /// The most steps that run at once.
    pub max_parallel: usize,
}

/// Runs a playbook to its end; one whose input does not fit its `workload_schema` is not started. `observe` is called with every event when it happens. Dropping the future
/// stops all steps.
pub async fn run(
    job: Job<'_>,
    host: Arc<dyn Host>,
    observe: &mut (dyn FnMut(&Event) + Send),
) -> Report {
    let mut machine = Machine::new(job.playbook, job.execution_id, job.payload);
    if let Err(problems) = machine.check_workload() {
        return refused(&machine, &problems);
    }
    let turn = machine.start(job.target);
    let mut driver = Driver {
        host,
        running: JoinSet::new(),
        handles: HashMap::new(),
        ended: VecDeque::new(),
        at_once: 0,
        waiting: VecDeque::new(),
        max_parallel: job.max_parallel.max(1),
    };
    driver.take_turn(turn, &mut machine, observe);
    while let Some((command_id, outcome)) = driver.next().await {
        if let Ok(turn) = machine.complete(&command_id, outcome) {
            driver.take_turn(turn, &mut machine, observe);
        }
        driver.start_commands(&mut machine, observe);
    }
    let steps = machine
        .completed_steps()
        .iter()
        .filter_map(|step| Some((step.clone(), machine.step_result(step)?)))
        .collect();
    Report {
        status: machine.status(),
        result: machine.result(),
        failure: machine.failure().cloned(),
        variables: machine.variables(),
        steps,
    }
}

/// Returns the report of an execution that is not started.
fn refused(machine: &Machine, problems: &Problems) -> Report {
    let message = format!("the input does not fit `workload_schema`: {problems}");
    Report {
        status: ExecutionStatus::Failed,
        result: Json::Null,
        failure: Some(Failure::new("playbook", message)),
        variables: machine.variables(),
        steps: Map::new(),
    }
}

/// Runs the commands of a machine.
struct Driver {
    host: Arc<dyn Host>,
    running: JoinSet<(String, Outcome)>,
    handles: HashMap<String, AbortHandle>,
    /// Commands that ended when they were started.
    ended: VecDeque<(String, Outcome)>,
    /// How many did so far.
    at_once: u64,
    /// Commands that have not been started.
    waiting: VecDeque<Command>,
    max_parallel: usize,
}

impl Driver {
    fn take_turn(
        &mut self,
        turn: Turn,
        machine: &mut Machine,
        observe: &mut (dyn FnMut(&Event) + Send),
    ) {
        turn.events.iter().for_each(&mut *observe);
        for command_id in &turn.dropped {
            self.waiting.retain(|command| command.id != *command_id);
            if let Some(handle) = self.handles.remove(command_id) {
                handle.abort();
            }
        }
        self.ended
            .retain(|(command_id, _)| !turn.dropped.contains(command_id));
        self.waiting.extend(turn.commands);
        self.start_commands(machine, observe);
    }

    /// Returns the next command that has ended, with its outcome; none when no command runs.
    async fn next(&mut self) -> Option<(String, Outcome)> {
        loop {
            if let Some(ended) = self.ended.pop_front() {
                self.at_once += 1;
                // Others, such as a signal that stops the run, have their turn as well.
                if self.at_once.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
                return Some(ended);
            }
            let (command_id, outcome) = match self.running.join_next().await? {
                Ok(done) => done,
                // A panic fails the step; the execution must not wait for it for ever.
                Err(error) => match self.handles.iter().find(|(_, one)| one.id() == error.id()) {
                    Some((id, _)) => {
                        let failure = Failure::new("internal", "the tool panicked");
                        (id.clone(), Outcome::failed(failure))
                    }
                    None => continue,
                },
            };
            self.handles.remove(&command_id);
            return Some((command_id, outcome));
        }
    }

    /// Starts as many commands as may run at once.
    fn start_commands(&mut self, machine: &mut Machine, observe: &mut (dyn FnMut(&Event) + Send)) {
        while self.running.len() + self.ended.len() < self.max_parallel {
            let Some(command) = self.waiting.pop_front() else {
                return;
            };
            machine
                .claimed(&command.id, "local")
                .iter()
                .for_each(&mut *observe);
            let host = Arc::clone(&self.host);
            let id = command.id.clone();
            if let Some(outcome) = pipeline::run_at_once(&command) {
                self.ended.push_back((id, outcome));
                continue;
            }
            let step = async move {
                // tokio rounds a sleep of 0 ms up to a tick of its clock.
                if command.delay_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(command.delay_ms)).await;
                }
                let outcome = pipeline::run(&command, &*host).await;
                (command.id, outcome)
            };
            let handle = self.running.spawn(step);
            self.handles.insert(id, handle);
        }
    }
}
