//! The worker's side: runs the tasks of a command, one after the other, and returns its outcome.

mod at_once;
mod attempt;
mod decision;
mod fields;
mod input;
mod redact;
mod redacting_host;
mod resolve;
mod secret_forms;
mod state;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;
use minijinja::Value;

pub use self::at_once::run_at_once;
use self::decision::AfterTask;
use self::redacting_host::RedactingHost;
use self::resolve::resolve;
use self::state::Pipeline;
use crate::command::{Command, Outcome};
use crate::host::Host;
use crate::outcome_values::outcome_value;
use crate::playbook::{Task, ToolKind};
use crate::secret_reference;
use crate::template::{StepResult, from_json, into_value};
use noetl_api::Failure;

/// How often the rules of one pipeline may jump: a bound on pipelines that would not end.
const MAX_JUMPS: u32 = 10_000;

/// Runs a command and returns its outcome. Dropping the future stops its tasks.
pub async fn run(command: &Command, host: &dyn Host) -> Outcome {
    let begun = Instant::now();
    let host = RedactingHost::new(host);
    let mut pipeline = Pipeline::new(command, &host);
    let known = host.know(&command.given).await;
    let prepared = match known {
        Ok(()) => pipeline.prepare().await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = prepared {
        pipeline.outcome.error = Some(failure);
    } else {
        // A panic in a tool fails its step; an execution must not wait for it for ever.
        if AssertUnwindSafe(pipeline.run_tasks())
            .catch_unwind()
            .await
            .is_err()
        {
            let failure = Failure::new("internal", "the step ended by a bug in NoETL");
            pipeline.outcome.error = Some(failure);
        }
    }
    let mut outcome = pipeline.outcome;
    host.redact(&mut outcome);
    outcome.given = host.given();
    outcome.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}

impl Pipeline<'_> {
    /// Runs the tasks; their results and the pipeline's failure are in `outcome`.
    async fn run_tasks(&mut self) {
        let tasks = &self.command.tasks;
        let (mut position, mut jumps) = (0, 0);
        while let Some(task) = tasks.get(position) {
            let (outcome, next) = self.run_task(position, task).await;
            let has_next = !matches!(next, AfterTask::Break | AfterTask::Fail)
                && (tasks.len() > 1 || matches!(next, AfterTask::Jump(_)));
            if has_next && let Err(failure) = self.take_result(task, &outcome).await {
                self.outcome.error = Some(failure.at(&task.config.place));
                return;
            }
            if tasks.len() > 1 && outcome.error.is_none() {
                let (name, result) = (task.name.clone(), outcome.result.clone());
                self.outcome.tasks.insert(name, result);
            }
            self.outcome.error = None;
            match next {
                AfterTask::Continue => position += 1,
                AfterTask::Break => {
                    self.outcome.result = outcome.result;
                    return;
                }
                AfterTask::Fail => {
                    self.outcome.error = Some(match outcome.error {
                        Some(failure) => failure,
                        None => failed_by_rule(task, outcome),
                    });
                    return;
                }
                AfterTask::Jump(to) => {
                    jumps += 1;
                    let target = tasks.iter().position(|task| task.name == to);
                    let Some(target) = target.filter(|_| jumps <= MAX_JUMPS) else {
                        let failure = Failure::new(
                            "limit",
                            format!("the pipeline jumped {MAX_JUMPS} times without an end"),
                        );
                        self.outcome.error = Some(failure.at(&task.config.place));
                        return;
                    };
                    position = target;
                }
            }
            self.outcome.result = outcome.result;
        }
    }

    /// Keeps the outcome of a task, and its result if it succeeded, for the tasks after it.
    async fn take_result(&mut self, task: &Task, outcome: &Outcome) -> Result<(), Failure> {
        let mut value = from_json(&outcome.result);
        let output = outcome_value(outcome, &value, 1);
        self.scope.insert("output".to_owned(), output.clone());
        self.scope.insert("outcome".to_owned(), output);
        if outcome.error.is_some() {
            return Ok(());
        }
        if task.kind == ToolKind::Secrets {
            let mut result = outcome.result.clone();
            self.references.extend(secret_reference::find_all(&result));
            resolve(&mut result, &self.references, self.host).await?;
            value = into_value(result);
        }
        let value = StepResult::wrap(value, Value::UNDEFINED);
        self.scope.insert("_prev".to_owned(), value.clone());
        self.scope.insert(task.name.clone(), value);
        Ok(())
    }
}

/// Returns the failure of a task that succeeded and whose rule ends the pipeline as a failure.
fn failed_by_rule(task: &Task, outcome: Outcome) -> Failure {
    let message = format!("a rule of task `{}` ended the step as a failure", task.name);
    Failure {
        result: Some(outcome.result),
        ..Failure::new("policy", message)
    }
    .at(&task.config.place)
}
