//! Lines on their way to a source.

use noetl_engine::execution::Machine;
use noetl_engine::{Playbook, ToolEnvironment};
use serde_json::Map;

use super::*;

fn command() -> Command {
    let text = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: p}\nworkflow:\n- step: start\n  \
                tool: {kind: shell, cmds: echo}\n";
    let playbook = Playbook::parse("p.yaml", text).unwrap();
    let mut machine = Machine::new(Arc::new(playbook), "1", &Map::new());
    machine.start(None).commands.remove(0)
}

fn texts(batches: &[AttemptLog]) -> Vec<&str> {
    let lines = batches.iter().flat_map(|batch| &batch.lines);
    lines.map(|line| line.text.as_str()).collect()
}

#[test]
fn each_attempt_has_batches_of_its_own_with_growing_numbers() {
    let logs = Arc::new(Logs::default());
    let sink = logs.sink(&command());
    sink.line(1, Stream::Out, "one");
    sink.line(2, Stream::Err, "two");
    let batches = logs.take();
    assert_eq!(texts(&batches), ["one", "two"]);
    assert_eq!(batches[1].lines[0].stream, LogStream::Stderr);
    let numbers: Vec<_> = batches
        .iter()
        .map(|batch| (batch.attempt, batch.batch))
        .collect();
    assert_eq!(numbers, [(1, 1), (2, 2)]);
    assert_ne!(batches[0].run, logs.sink(&command()).head.run);
    sink.line(1, Stream::Out, "three");
    assert!(logs.has_sent(&batches), "a line has come meanwhile");
    assert!(logs.have_lines(Some(&batches[0].command_id)));
    let batches = logs.take();
    assert_eq!((texts(&batches), batches[0].batch), (vec!["three"], 3));
    assert!(!logs.has_sent(&batches));
    assert!(!logs.have_lines(Some(&batches[0].command_id)));
}

#[test]
fn what_waits_is_bounded_and_the_rest_is_counted() {
    let logs = Arc::new(Logs::default());
    let sink = logs.sink(&command());
    let line = "x".repeat(1 << 20);
    for _ in 0..6 {
        sink.line(1, Stream::Out, &line);
    }
    let mut kept = 0;
    let mut dropped = 0;
    loop {
        let batches = logs.take();
        kept += texts(&batches).len();
        dropped += batches.iter().map(|batch| batch.dropped).sum::<u32>();
        if !logs.has_sent(&batches) {
            break;
        }
    }
    assert_eq!((kept, dropped), (4, 2));
}

/// A source that fails as often as it is told, and keeps the texts that it gets.
struct Flaky {
    failures: Mutex<u32>,
    kept: Mutex<Vec<String>>,
}

impl Source for Flaky {
    type Error = &'static str;
    type Host = NoHost;

    async fn claim(
        &self,
        _: &super::super::Slots,
        _: &[String],
    ) -> Result<Vec<super::super::Claim>, &'static str> {
        std::future::pending().await
    }

    async fn heartbeat(&self, _: Vec<String>) -> Result<Vec<String>, &'static str> {
        Ok(Vec::new())
    }

    async fn report(
        &self,
        _: &Command,
        _: &noetl_engine::execution::Outcome,
    ) -> Result<super::super::Report, &'static str> {
        Ok(super::super::Report::Kept)
    }

    fn host(&self, _: &Command, _: super::super::LentSlot, _: LogSink) -> NoHost {
        NoHost(ToolEnvironment::default())
    }

    async fn log(&self, batches: &[AttemptLog]) -> Result<(), &'static str> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err("away");
        }
        let texts = texts(batches).into_iter().map(str::to_owned);
        self.kept.lock().unwrap().extend(texts);
        Ok(())
    }
}

/// A host that no step gets.
struct NoHost(ToolEnvironment);

impl noetl_engine::Host for NoHost {
    fn credential<'a>(
        &'a self,
        _: &'a str,
    ) -> noetl_engine::BoxFuture<'a, Result<Option<noetl_engine::Credential>, noetl_engine::Failure>>
    {
        Box::pin(async { Ok(None) })
    }

    fn playbook<'a>(
        &'a self,
        _: noetl_engine::SubPlaybook,
    ) -> noetl_engine::BoxFuture<'a, Result<serde_json::Value, noetl_engine::Failure>> {
        Box::pin(async { Ok(serde_json::Value::Null) })
    }

    fn environment_variable(&self, _: &str) -> Option<String> {
        None
    }

    fn output_line(&self, _: &noetl_engine::Place, _: u32, _: Stream, _: &str) {}

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.0
    }
}

#[tokio::test]
async fn lines_are_sent_again_until_the_source_has_them_and_a_flush_waits_for_that() {
    let logs = Arc::new(Logs::default());
    let source = Flaky {
        failures: Mutex::new(1),
        kept: Mutex::default(),
    };
    let command = command();
    let sink = logs.sink(&command);
    sink.line(1, Stream::Out, "one");
    sink.line(1, Stream::Out, "two");
    tokio::select! {
        () = logs.send_to(&source) => {}
        () = logs.flush(Some(&command.id)) => {}
    }
    assert_eq!(*source.kept.lock().unwrap(), ["one", "two"]);
    // Nothing waits any more.
    logs.flush(Some(&command.id)).await;
}
