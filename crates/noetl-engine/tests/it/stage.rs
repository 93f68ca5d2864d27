//! What the tests run playbooks on: a host with a folder of its own, and a machine fed by hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use noetl_api::ExecutionStatus;
use noetl_engine::execution::{Command, Event, Machine, Outcome};
use noetl_engine::local::{self, Job, Report};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, HostMachine, Place, Playbook, Problem, Stream,
    SubPlaybook,
};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

/// What stands above the workflow of every playbook here: three lines.
const HEAD: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: tested}\n";

/// The text of a playbook, from its part below the header.
pub(crate) fn text(body: &str) -> String {
    format!("{HEAD}{body}")
}

/// A playbook without errors.
pub(crate) fn playbook(body: &str) -> Arc<Playbook> {
    match Playbook::parse("test.yaml", &text(body)) {
        Ok(playbook) => Arc::new(playbook),
        Err(problems) => panic!("{problems}"),
    }
}

/// What validation says of it.
pub(crate) fn problems(body: &str) -> Vec<Problem> {
    Playbook::validate("test.yaml", &text(body), &Map::new()).0
}

/// The same as one text, a problem a line.
pub(crate) fn said(body: &str) -> String {
    Playbook::validate("test.yaml", &text(body), &Map::new()).to_string()
}

pub(crate) fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// A host with a folder of its own. Its sub-playbooks are the files in that folder.
#[derive(Clone)]
pub(crate) struct Stage {
    machine: HostMachine,
    folder: Arc<TempDir>,
    credentials: Arc<Mutex<Vec<Credential>>>,
    pub(crate) calls: Arc<Mutex<Vec<SubPlaybook>>>,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    children: Arc<AtomicUsize>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            machine: HostMachine {
                folder: Some(folder.path().to_owned()),
                ..HostMachine::default()
            },
            folder: Arc::new(folder),
            credentials: Arc::default(),
            calls: Arc::default(),
            lines: Arc::default(),
            children: Arc::default(),
        }
    }

    pub(crate) fn credential(&self, name: &str, data: Json) {
        self.credentials.lock().unwrap().push(Credential {
            name: name.to_owned(),
            kind: "generic".to_owned(),
            data: object(data),
        });
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of a file in the folder; none when there is no such file.
    pub(crate) fn read(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(name));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) async fn run(&self, body: &str) -> Ran {
        self.run_with(body, json!({}), None).await
    }

    pub(crate) async fn run_with(&self, body: &str, payload: Json, target: Option<&str>) -> Ran {
        let mut events = Vec::new();
        let payload = object(payload);
        let job = Job {
            playbook: playbook(body),
            execution_id: "1",
            payload: &payload,
            target,
            max_parallel: 8,
        };
        let host = Arc::new(self.clone());
        let report = local::run(job, host, &mut |event: &Event| events.push(event.clone())).await;
        Ran { report, events }
    }
}

impl Host for Stage {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        let known = self.credentials.lock().unwrap();
        let found = known.iter().find(|known| known.name == name).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            self.calls.lock().unwrap().push(call.clone());
            let text = std::fs::read_to_string(self.path(&call.path))
                .map_err(|error| Failure::new("playbook", error.to_string()))?;
            let playbook = Playbook::parse(&call.path, &text)
                .map_err(|problems| Failure::new("playbook", problems.to_string()))?;
            let id = format!("1-{}", self.children.fetch_add(1, Ordering::Relaxed));
            let job = Job {
                playbook: Arc::new(playbook),
                execution_id: &id,
                payload: &call.payload,
                target: None,
                max_parallel: 8,
            };
            let mut report =
                Box::pin(local::run(job, Arc::new(self.clone()), &mut |_: &Event| {})).await;
            match (report.failure, call.return_step) {
                (Some(failure), _) => Err(failure),
                (None, Some(step)) => Ok(report.steps.remove(&step).unwrap_or_default()),
                (None, None) => Ok(report.result),
            }
        })
    }

    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn line(&self, _place: &Place, _stream: Stream, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }

    fn machine(&self) -> &HostMachine {
        &self.machine
    }
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) report: Report,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    /// Steps in the order in which they were entered.
    pub(crate) fn entered(&self) -> Vec<&str> {
        let entered = self
            .events
            .iter()
            .filter(|event| event.name == "step.enter");
        entered.filter_map(|event| event.step.as_deref()).collect()
    }

    /// How many events of that name there are.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.events
            .iter()
            .filter(|event| event.name == name)
            .count()
    }

    #[track_caller]
    pub(crate) fn completed(self) -> Self {
        if let Some(failure) = &self.report.failure {
            panic!("{failure}");
        }
        assert_eq!(self.report.status, ExecutionStatus::Completed);
        self
    }

    /// Why it failed, as a person would read it.
    #[track_caller]
    pub(crate) fn failed(&self) -> String {
        assert_eq!(
            self.report.status,
            ExecutionStatus::Failed,
            "{:?}",
            self.report
        );
        self.report.failure.as_ref().unwrap().to_string()
    }

    pub(crate) fn result(&self, step: &str) -> Json {
        self.report.steps.get(step).cloned().unwrap_or_default()
    }

    pub(crate) fn variable(&self, name: &str) -> Json {
        self.report.variables.get(name).cloned().unwrap_or_default()
    }
}

/// Runs a playbook whose steps need no folder.
pub(crate) async fn run(body: &str) -> Ran {
    Stage::new().run(body).await
}

/// A machine whose commands a test answers, and everything that it said.
pub(crate) struct Fed {
    pub(crate) machine: Machine,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
    pub(crate) dropped: Vec<String>,
}

/// Feeds a machine until it asks for nothing more; commands are answered in their order.
pub(crate) fn feed(body: &str, payload: Json, mut answer: impl FnMut(&Command) -> Outcome) -> Fed {
    let mut machine = Machine::new(playbook(body), "1", &object(payload));
    let mut turn = machine.start(None);
    let (mut events, mut commands, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    let mut waiting = std::collections::VecDeque::new();
    loop {
        events.append(&mut turn.events);
        waiting.retain(|command: &Command| !turn.dropped.contains(&command.id));
        dropped.append(&mut turn.dropped);
        waiting.extend(turn.commands);
        let Some(command) = waiting.pop_front() else {
            break;
        };
        events.extend(machine.claimed(&command.id, "test"));
        let outcome = answer(&command);
        turn = machine.complete(&command.id, outcome).unwrap();
        commands.push(command);
    }
    Fed {
        machine,
        events,
        commands,
        dropped,
    }
}

/// A result without a failure.
pub(crate) fn gave(result: Json) -> Outcome {
    Outcome {
        result,
        ..Outcome::default()
    }
}
