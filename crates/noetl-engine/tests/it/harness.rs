//! Support for tests: a host with a temporary folder, and a machine whose commands a test answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use noetl_api::ExecutionStatus;
use noetl_engine::execution::{Command, Event, Machine, Outcome};
use noetl_engine::local::{self, Job, Report};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Playbook, Problem, Stream, SubPlaybook,
    ToolEnvironment,
};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

/// The first three lines of every playbook in the tests.
const HEAD: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: tested}\n";

/// Returns the text of a playbook with this body.
pub(crate) fn text(body: &str) -> String {
    format!("{HEAD}{body}")
}

/// Returns a playbook, which must have no errors.
pub(crate) fn playbook(body: &str) -> Arc<Playbook> {
    match Playbook::parse("test.yaml", &text(body)) {
        Ok(playbook) => Arc::new(playbook),
        Err(problems) => panic!("{problems}"),
    }
}

/// Returns the problems that validation finds.
pub(crate) fn problems(body: &str) -> Vec<Problem> {
    Playbook::validate("test.yaml", &text(body), &Map::new()).0
}

/// Returns the problems as text, one in a line.
pub(crate) fn problem_text(body: &str) -> String {
    Playbook::validate("test.yaml", &text(body), &Map::new()).to_string()
}

pub(crate) fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

/// A host with a temporary folder, whose files are its sub-playbooks.
#[derive(Clone)]
pub(crate) struct TestHost {
    tool_environment: ToolEnvironment,
    folder: Arc<TempDir>,
    credentials: Arc<Mutex<Vec<Credential>>>,
    pub(crate) calls: Arc<Mutex<Vec<SubPlaybook>>>,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    children: Arc<AtomicUsize>,
}

impl TestHost {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            tool_environment: ToolEnvironment {
                folder: Some(folder.path().to_owned()),
                ..ToolEnvironment::default()
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

    /// Returns the lines of a file in the folder; none when the file does not exist.
    pub(crate) fn read(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(name));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) async fn run(&self, body: &str) -> FinishedRun {
        self.run_with(body, json!({}), None).await
    }

    pub(crate) async fn run_with(
        &self,
        body: &str,
        payload: Json,
        target: Option<&str>,
    ) -> FinishedRun {
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
        FinishedRun { report, events }
    }
}

impl Host for TestHost {
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
            playbook.check_return_step(call.return_step.as_deref())?;
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

    fn environment_variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn output_line(&self, _place: &Place, _attempt: u32, stream: Stream, line: &str) {
        // Notes of tools are not what a step has printed.
        if stream == Stream::Note {
            return;
        }
        self.lines.lock().unwrap().push(line.to_owned());
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tool_environment
    }
}

/// A run that has ended.
pub(crate) struct FinishedRun {
    pub(crate) report: Report,
    pub(crate) events: Vec<Event>,
}

impl FinishedRun {
    /// Returns the steps in the order in which they were entered.
    pub(crate) fn entered(&self) -> Vec<&str> {
        let entered = self
            .events
            .iter()
            .filter(|event| event.name == "step.enter");
        entered.filter_map(|event| event.step.as_deref()).collect()
    }

    /// Returns the number of events of that name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.events
            .iter()
            .filter(|event| event.name == name)
            .count()
    }

    /// Returns the run; panics when it failed.
    #[track_caller]
    pub(crate) fn completed(self) -> Self {
        if let Some(failure) = &self.report.failure {
            panic!("{failure}");
        }
        assert_eq!(self.report.status, ExecutionStatus::Completed);
        self
    }

    /// Returns the message of the failure; panics when the run did not fail.
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
pub(crate) async fn run(body: &str) -> FinishedRun {
    TestHost::new().run(body).await
}

/// A machine whose commands a test has answered, and all its output.
pub(crate) struct DrivenMachine {
    pub(crate) machine: Machine,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
    pub(crate) dropped: Vec<String>,
}

/// Runs a machine until no command is left; `answer` gives the outcome of each command, in their order.
pub(crate) fn drive(
    body: &str,
    payload: Json,
    mut answer: impl FnMut(&Command) -> Outcome,
) -> DrivenMachine {
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
    DrivenMachine {
        machine,
        events,
        commands,
        dropped,
    }
}

/// Returns the outcome of a command that succeeded.
pub(crate) fn success(result: Json) -> Outcome {
    Outcome {
        result,
        ..Outcome::default()
    }
}
