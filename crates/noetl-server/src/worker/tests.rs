//! The loop of a worker, with a source that a test controls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use noetl_api::log::AttemptLog;
use noetl_engine::execution::{Command, Machine, Outcome};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Playbook, Stream, SubPlaybook, ToolEnvironment,
};
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, mpsc};

use super::{Claim, LentSlot, LogSink, Report, Slots, Source, Worker};

/// What a source answers to a report.
type Answer = Result<Report, &'static str>;

struct FakeSource {
    /// Commands to claim; a claim waits for the next.
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Command>>,
    /// Answers to reports, in their order; `Kept` once there are none left.
    answers: Mutex<Vec<Answer>>,
    /// Outcomes that were reported.
    reports: mpsc::UnboundedSender<(String, Outcome)>,
    /// Sub-playbooks that are called, and what ends each.
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    begun: Notify,
    ends: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Calls {
    fn end(&self, path: &str) -> Arc<Notify> {
        Arc::clone(
            self.ends
                .lock()
                .unwrap()
                .entry(path.to_owned())
                .or_default(),
        )
    }
}

struct FakeHost {
    calls: Arc<Calls>,
    slot: LentSlot,
    tools: ToolEnvironment,
}

impl Source for FakeSource {
    type Error = &'static str;
    type Host = FakeHost;

    async fn claim(&self, slots: &Slots, _held: &[String]) -> Result<Vec<Claim>, &'static str> {
        let command = self.queue.lock().await.recv().await;
        let slot = slots.try_take();
        Ok(command
            .map(|command| Claim { command, slot })
            .into_iter()
            .collect())
    }

    async fn heartbeat(&self, _held: Vec<String>) -> Result<Vec<String>, &'static str> {
        Ok(Vec::new())
    }

    async fn report(&self, command: &Command, outcome: &Outcome) -> Answer {
        self.reports
            .send((command.step.clone(), outcome.clone()))
            .unwrap();
        self.answers
            .lock()
            .unwrap()
            .pop()
            .unwrap_or(Ok(Report::Kept))
    }

    async fn log(&self, _batches: &[AttemptLog]) -> Result<(), &'static str> {
        Ok(())
    }

    fn host(&self, _command: &Command, slot: LentSlot, _log: LogSink) -> FakeHost {
        FakeHost {
            calls: Arc::clone(&self.calls),
            slot,
            tools: ToolEnvironment::default(),
        }
    }
}

impl Host for FakeHost {
    fn credential<'a>(
        &'a self,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async { Ok(None) })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let end = self.calls.end(&call.path);
            self.calls.begun.notify_one();
            self.slot.free_during(end.notified()).await;
            Ok(json!("called"))
        })
    }

    fn environment_variable(&self, _name: &str) -> Option<String> {
        None
    }

    fn output_line(&self, _place: &Place, _attempt: u32, _stream: Stream, _line: &str) {}

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tools
    }
}

struct Bench {
    worker: Arc<Worker<FakeSource>>,
    queue: mpsc::UnboundedSender<Command>,
    reports: mpsc::UnboundedReceiver<(String, Outcome)>,
    calls: Arc<Calls>,
}

impl Bench {
    fn new(slots: usize, mut answers: Vec<Answer>) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let (sent, reports) = mpsc::unbounded_channel();
        let calls = Arc::new(Calls::default());
        answers.reverse();
        let source = FakeSource {
            queue: tokio::sync::Mutex::new(waiting),
            answers: Mutex::new(answers),
            reports: sent,
            calls: Arc::clone(&calls),
        };
        let worker = Worker::new(source, Slots::new(slots));
        tokio::spawn(Arc::clone(&worker).run());
        Self {
            worker,
            queue,
            reports,
            calls,
        }
    }

    async fn report(&mut self) -> (String, Outcome) {
        self.reports.recv().await.unwrap()
    }
}

/// A command of a step whose tool is this.
fn command(step: &str, tool: &Value) -> Command {
    let text = json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook", "metadata": {"name": "p"},
        "workflow": [{"step": step, "tool": tool}],
    });
    let playbook = Playbook::parse("p", &text.to_string()).unwrap();
    let mut machine = Machine::new(Arc::new(playbook), step, &Map::new());
    machine.start(None).commands.remove(0)
}

fn noop(step: &str) -> Command {
    command(step, &json!({"kind": "noop", "args": {"n": 1}}))
}

fn call(step: &str, path: &str) -> Command {
    command(step, &json!({"kind": "playbook", "path": path}))
}

#[tokio::test]
async fn commands_are_run_and_reported() {
    let mut bench = Bench::new(1, Vec::new());
    for step in ["a", "b"] {
        bench.queue.send(noop(step)).unwrap();
        let (reported, outcome) = bench.report().await;
        assert_eq!((reported.as_str(), outcome.result), (step, json!({"n": 1})));
    }
}

#[tokio::test]
async fn a_report_that_fails_is_tried_again() {
    let mut bench = Bench::new(1, vec![Err("away"), Ok(Report::Kept)]);
    bench.queue.send(noop("a")).unwrap();
    let first = bench.report().await;
    assert_eq!(bench.report().await, first);
    bench.queue.send(noop("b")).unwrap();
    assert_eq!(
        bench.report().await.0,
        "b",
        "the first is not sent a third time"
    );
}

#[tokio::test]
async fn a_refused_outcome_is_reported_as_a_failure_once() {
    let refused = || Ok(Report::Refused("too large".to_owned()));
    let mut bench = Bench::new(1, vec![refused(), refused()]);
    bench.queue.send(noop("a")).unwrap();
    assert!(bench.report().await.1.error.is_none());
    let failure = bench.report().await.1.error.unwrap();
    assert_eq!(failure.kind, "limit");
    assert!(failure.message.ends_with("too large"), "{failure}");
    bench.queue.send(noop("b")).unwrap();
    assert_eq!(bench.report().await.0, "b");
}

#[tokio::test]
async fn an_outcome_that_comes_too_late_is_not_sent_again() {
    let mut bench = Bench::new(1, vec![Ok(Report::TooLate)]);
    bench.queue.send(noop("a")).unwrap();
    bench.queue.send(noop("b")).unwrap();
    assert_eq!(bench.report().await.0, "a");
    assert_eq!(bench.report().await.0, "b");
}

#[tokio::test]
async fn a_command_that_waits_for_another_frees_its_slot() {
    let mut bench = Bench::new(1, Vec::new());
    bench.queue.send(call("caller", "p")).unwrap();
    bench.calls.begun.notified().await;
    bench.queue.send(noop("callee")).unwrap();
    assert_eq!(bench.report().await.0, "callee");
    bench.calls.end("p").notify_one();
    let (step, outcome) = bench.report().await;
    assert_eq!((step.as_str(), outcome.result), ("caller", json!("called")));
}

#[tokio::test]
async fn a_stopped_command_is_not_reported_and_a_held_one_not_started_again() {
    let mut bench = Bench::new(2, Vec::new());
    let held = call("a", "p");
    bench.queue.send(held.clone()).unwrap();
    bench.calls.begun.notified().await;
    assert_eq!(bench.worker.held(), std::slice::from_ref(&held.id));
    bench.worker.start(Claim {
        command: held.clone(),
        slot: None,
    });
    assert_eq!(bench.worker.held().len(), 1);
    assert!(bench.worker.stop(&held.id));
    assert!(!bench.worker.stop(&held.id), "it runs no more");
    bench.queue.send(noop("b")).unwrap();
    assert_eq!(bench.report().await.0, "b");
}

#[tokio::test]
async fn a_stopped_worker_starts_no_command() {
    let mut bench = Bench::new(2, Vec::new());
    bench.queue.send(call("a", "p")).unwrap();
    bench.calls.begun.notified().await;
    bench.worker.stop_all();
    assert!(bench.worker.held().is_empty());
    bench.worker.start(Claim {
        command: noop("b"),
        slot: None,
    });
    assert!(bench.worker.held().is_empty());
    drop(bench.queue);
    let worker = Arc::downgrade(&bench.worker);
    drop(bench.worker);
    // The loop has ended and nothing was reported when the last sender is gone.
    assert!(bench.reports.recv().await.is_none());
    assert!(worker.upgrade().is_none());
}
