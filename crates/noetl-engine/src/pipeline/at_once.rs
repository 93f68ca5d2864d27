//! Commands that need nothing of a host: they are run where they are issued.

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::Value as Json;

use crate::command::{Command, Outcome};
use crate::host::{BoxFuture, Credential, Host, Stream, SubPlaybook, ToolEnvironment};
use crate::playbook::{Task, ToolKind};
use noetl_api::{Failure, Place};

/// Runs a command whose tasks do nothing but return their arguments. None for every other command, and for one that has to
/// wait.
pub fn run_at_once(command: &Command) -> Option<Outcome> {
    let is_noop = |task: &Task| task.kind == ToolKind::Noop;
    let mut roots = command
        .tasks
        .iter()
        .flat_map(Task::fields)
        .flat_map(|field| field.roots());
    let needs_nothing = command.delay_ms == 0
        && command.tasks.iter().all(is_noop)
        && command.secrets.is_empty()
        && command.given.is_empty()
        && !roots.any(|root| root == "keychain");
    if !needs_nothing {
        return None;
    }
    let host = NoHost(ToolEnvironment::default());
    let run = pin!(super::run(command, &host));
    match run.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        // A rule waits before another attempt. What was done had no effect.
        Poll::Pending => None,
    }
}

/// A host that has nothing.
struct NoHost(ToolEnvironment);

impl Host for NoHost {
    fn credential<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(ready(Ok(None)))
    }

    fn playbook<'a>(&'a self, _: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(ready(Ok(Json::Null)))
    }

    fn environment_variable(&self, _: &str) -> Option<String> {
        None
    }

    fn output_line(&self, _: &Place, _: u32, _: Stream, _: &str) {}

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.0
    }
}
