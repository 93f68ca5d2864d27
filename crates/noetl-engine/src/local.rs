//! An execution inside one process, for `noetl run`.

use std::collections::HashMap;
use std::sync::Arc;

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value as Json};
use tokio::task::{AbortHandle, JoinSet};

use crate::execution::{Command, Event, Machine, Outcome, Turn};
use crate::playbook::Playbook;
use crate::tool::{Failure, Host};

/// How a local run ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// COMPLETED or FAILED; CANCELLED is a run that was dropped.
    pub status: ExecutionStatus,
    /// What the last step with a result gave.
    pub result: Json,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The variables at the end.
    pub variables: Map<String, Json>,
    /// Results of the steps by name.
    pub steps: Map<String, Json>,
}

/// What to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// Names the execution in events.
    pub execution_id: &'a str,
    /// Overrides of the workload.
    pub payload: &'a Map<String, Json>,
    /// Begins at this step instead of the playbook's own.
    pub target: Option<&'a str>,
    /// Steps that run at once, at the most.
    pub max_parallel: usize,
}

/// Runs a playbook to its end. `observe` hears every event when it happens. Dropping the future stops
/// every step that runs.
pub async fn run(
    job: Job<'_>,
    host: Arc<dyn Host>,
    observe: &mut (dyn FnMut(&Event) + Send),
) -> Report {
    let mut machine = Machine::new(job.playbook, job.execution_id, job.payload);
    let turn = machine.start(job.target);
    let mut driver = Driver {
        host,
        running: JoinSet::new(),
        handles: HashMap::new(),
        waiting: std::collections::VecDeque::new(),
        max_parallel: job.max_parallel.max(1),
    };
    driver.take(turn, &mut machine, observe);
    while let Some(done) = driver.running.join_next().await {
        let (command_id, outcome) = match done {
            Ok(done) => done,
            // A fault of ours is a failure of the step, never a run that just stops.
            Err(error) => match driver
                .handles
                .iter()
                .find(|(_, one)| one.id() == error.id())
            {
                Some((id, _)) => (
                    id.clone(),
                    Outcome::failed(Failure::new("internal", "the tool panicked")),
                ),
                None => continue,
            },
        };
        driver.handles.remove(&command_id);
        if let Ok(turn) = machine.complete(&command_id, outcome) {
            driver.take(turn, &mut machine, observe);
        }
        driver.fill(&mut machine, observe);
    }
    let steps = machine
        .completed_steps()
        .iter()
        .filter_map(|step| Some((step.clone(), machine.step_result(step)?)))
        .collect();
    Report {
        status: machine.status(),
        result: machine.result().clone(),
        failure: machine.failure().cloned(),
        variables: machine.variables(),
        steps,
    }
}

struct Driver {
    host: Arc<dyn Host>,
    running: JoinSet<(String, Outcome)>,
    handles: HashMap<String, AbortHandle>,
    waiting: std::collections::VecDeque<Command>,
    max_parallel: usize,
}

impl Driver {
    fn take(
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
        self.waiting.extend(turn.commands);
        self.fill(machine, observe);
    }

    fn fill(&mut self, machine: &mut Machine, observe: &mut (dyn FnMut(&Event) + Send)) {
        while self.running.len() < self.max_parallel {
            let Some(command) = self.waiting.pop_front() else {
                return;
            };
            machine
                .claimed(&command.id, "local")
                .iter()
                .for_each(&mut *observe);
            let host = Arc::clone(&self.host);
            let id = command.id.clone();
            let handle = self.running.spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(command.delay_ms)).await;
                let outcome = crate::pipeline::run(&command, &*host).await;
                (command.id, outcome)
            });
            self.handles.insert(id, handle);
        }
    }
}
