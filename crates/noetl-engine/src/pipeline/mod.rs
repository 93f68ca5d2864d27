//! The worker's side: runs the tasks of a command, one after the other, and gives its outcome.

mod fields;
mod given;
mod parameters;
mod secrets;
mod spelling;

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use self::fields::{override_field, reported_error};
use self::secrets::KeepsSecrets;
use crate::execution::{Command, Outcome};
use crate::playbook::{Assignment, Rule, RuleAction, Scope as Variables, Task, ToolKind};
use crate::template::{self, Scope, StepResult, Style, from_json, to_json};
use crate::tool::{self, Call, Failure, Host, reference};
pub(crate) use parameters::{main_parameters, reads_context};

/// How often the rules of one pipeline may jump: a bound on pipelines that go round for ever.
const MAX_JUMPS: u32 = 10_000;

/// Runs a command to its outcome. Dropping the future stops what runs.
pub async fn run(command: &Command, host: &dyn Host) -> Outcome {
    let begun = Instant::now();
    let host = KeepsSecrets::new(host);
    let mut run = Run {
        command,
        host: &host,
        args: command.args.clone(),
        context: command.context.clone(),
        scope: Scope::new(),
        outcome: Outcome::default(),
        given: command.secrets.clone(),
        calls: 0,
    };
    if let Err(failure) = run.begin().await {
        run.outcome.error = Some(failure);
    } else {
        // A bug in a tool fails its step; nothing may hang for it.
        if AssertUnwindSafe(run.tasks()).catch_unwind().await.is_err() {
            run.outcome.error = Some(Failure::new("internal", "the step ended by a bug in NoETL"));
        }
    }
    let mut outcome = run.outcome;
    host.redact(&mut outcome);
    outcome.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}

struct Run<'a> {
    command: &'a Command,
    host: &'a KeepsSecrets<'a>,
    /// The command's arguments and context, its references to secrets resolved.
    args: Map<String, Json>,
    context: Map<String, Json>,
    scope: Scope,
    outcome: Outcome,
    /// References that stand for a secret: of earlier steps, and of this one's own tasks.
    given: Vec<Json>,
    /// Calls made so far: each has a name of its own, the same when the command runs again.
    calls: u32,
}

impl Run<'_> {
    async fn tasks(&mut self) {
        let tasks = &self.command.tasks;
        let (mut at, mut jumps) = (0, 0);
        while let Some(task) = tasks.get(at) {
            let (outcome, verdict) = self.task(at, task).await;
            let failed = outcome.error.is_some();
            if tasks.len() > 1 && !failed {
                self.outcome
                    .tasks
                    .insert(task.name.clone(), outcome.result.clone());
            }
            if !failed {
                let mut seen = outcome.result.clone();
                if task.kind == ToolKind::Secrets {
                    self.given.extend(reference::all(&seen));
                    let resolved = reference::resolve(&mut seen, &self.given, self.host).await;
                    if let Err(failure) = resolved {
                        self.outcome.error = Some(failure.at(&task.config.place));
                        return;
                    }
                }
                let value = StepResult::wrap(from_json(&seen), Value::UNDEFINED);
                self.scope.insert("_prev".to_owned(), value.clone());
                self.scope.insert(task.name.clone(), value);
            }
            self.outcome.result = outcome.result.clone();
            self.outcome.error = None;
            match verdict {
                Verdict::Continue => at += 1,
                Verdict::Break => return,
                Verdict::Fail => {
                    let failure = outcome.error.unwrap_or_else(|| {
                        Failure {
                            result: Some(outcome.result.clone()),
                            ..Failure::new(
                                "policy",
                                format!(
                                    "a rule of task `{}` ended the step as a failure",
                                    task.name
                                ),
                            )
                        }
                        .at(&task.config.place)
                    });
                    self.outcome.error = Some(failure);
                    return;
                }
                Verdict::Jump(to) => {
                    jumps += 1;
                    let target = tasks.iter().position(|task| task.name == to);
                    match target.filter(|_| jumps <= MAX_JUMPS) {
                        Some(target) => at = target,
                        None => {
                            let failure = Failure::new(
                                "limit",
                                format!("the pipeline jumped {MAX_JUMPS} times without an end"),
                            );
                            self.outcome.error = Some(failure.at(&task.config.place));
                            return;
                        }
                    }
                }
            }
        }
    }

    /// One task with its retries, and what its rules make of the last attempt.
    async fn task(&mut self, at: usize, task: &Task) -> (Outcome, Verdict) {
        let mut attempt = 1;
        loop {
            self.scope
                .insert("_task".to_owned(), Value::from(task.name.as_str()));
            self.scope
                .insert("_attempt".to_owned(), Value::from(attempt));
            let begun = Instant::now();
            let called = self.call(at, task).await;
            let mut outcome = match called {
                Ok(result) => Outcome {
                    result,
                    ..Outcome::default()
                },
                Err(failure) => Outcome::failed(failure),
            };
            outcome.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let verdict = match self.verdict(task, &outcome, attempt) {
                Ok(verdict) => verdict,
                Err(failure) => return (Outcome::failed(failure), Verdict::Fail),
            };
            match verdict {
                Ok(verdict) => return (outcome, verdict),
                Err(delay) => {
                    let asked = outcome
                        .error
                        .as_ref()
                        .and_then(|failure| failure.retry_after);
                    let delay = delay.max(asked.unwrap_or(0.0)).clamp(0.0, 3600.0);
                    tokio::time::sleep(Duration::from_secs_f64(delay)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// What happens after an attempt; the error is the seconds to wait before another.
    fn verdict(
        &mut self,
        task: &Task,
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<Result<Verdict, f64>, Failure> {
        let failed = outcome.error.is_some();
        if let Some(retry) = &task.retry
            && failed
            && attempt < retry.attempts
        {
            return Ok(Err(retry.delay_after(attempt)));
        }
        let Some(rule) = self.matching(&task.rules, outcome, attempt)? else {
            // Rules that are silent let the pipeline go on; without any, a failure is one.
            let fails = failed && task.rules.is_empty();
            return Ok(Ok(if fails {
                Verdict::Fail
            } else {
                Verdict::Continue
            }));
        };
        self.assign(&rule.set, outcome, attempt)?;
        Ok(match &rule.action {
            RuleAction::Retry(retry) if attempt < retry.attempts => Err(retry.delay_after(attempt)),
            RuleAction::Retry(_) if failed => Ok(Verdict::Fail),
            RuleAction::Retry(_) | RuleAction::Continue => Ok(Verdict::Continue),
            RuleAction::Jump { to } => Ok(Verdict::Jump(to.clone())),
            RuleAction::Break => Ok(Verdict::Break),
            RuleAction::Fail => Ok(Verdict::Fail),
        })
    }

    fn matching<'r>(
        &self,
        rules: &'r [Rule],
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<Option<&'r Rule>, Failure> {
        let scope = self.after(outcome, attempt);
        for rule in rules {
            let holds = match &rule.when {
                None => true,
                Some(when) => template::holds(when, &scope)?,
            };
            if holds {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    fn after(&self, outcome: &Outcome, attempt: u32) -> Scope {
        let mut scope = self.scope.clone();
        let whole = crate::execution::outcome_value(outcome, attempt);
        scope.insert("outcome".to_owned(), whole.clone());
        scope.insert("output".to_owned(), whole);
        if outcome.error.is_none() {
            let result = StepResult::wrap(from_json(&outcome.result), Value::UNDEFINED);
            scope.insert("result".to_owned(), result.clone());
            scope.insert("response".to_owned(), result);
        }
        let error = outcome.error.as_ref().map(crate::execution::error_value);
        scope.insert("error".to_owned(), error.unwrap_or_else(|| Value::from(())));
        scope
    }

    fn assign(
        &mut self,
        assignments: &[Assignment],
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<(), Failure> {
        for assignment in assignments {
            let scope = self.after(outcome, attempt);
            let json = to_json(&template::value(&assignment.field, &scope)?);
            let name = assignment.field.name.clone();
            let (variables, above) = match assignment.scope {
                Variables::Ctx => (&mut self.outcome.ctx, "ctx"),
                Variables::Iter => (&mut self.outcome.iter, "iter"),
            };
            variables.insert(name.clone(), json.clone());
            // The rest of the pipeline sees it at once.
            let mut all = match self.scope.get(above).map(to_json) {
                Some(Json::Object(all)) => all,
                _ => Map::new(),
            };
            all.insert(name.clone(), json.clone());
            self.scope
                .insert(above.to_owned(), from_json(&Json::Object(all)));
            self.scope.insert(name, from_json(&json));
        }
        Ok(())
    }

    /// One attempt: templates, then the tool.
    async fn call(&mut self, at: usize, task: &Task) -> Result<Json, Failure> {
        self.open_assigned().await?;
        let mut args = self.args.clone();
        // A statement's parameters may well be meant as JSON text.
        let arguments = match task.kind {
            ToolKind::Postgres | ToolKind::Sqlite | ToolKind::Duckdb | ToolKind::Sink => {
                Style::Json
            }
            _ => Style::Data,
        };
        let mut scope = self.scope.clone();
        for field in &task.args {
            let value = template::render(field, &scope, arguments)?;
            crate::execution::spread(&mut args, &field.name, value);
        }
        for (name, value) in &args {
            scope.insert(name.clone(), from_json(value));
        }
        let all = from_json(&Json::Object(args.clone()));
        scope
            .entry("data".to_owned())
            .or_insert_with(|| all.clone());
        scope.insert("args".to_owned(), all.clone());
        scope.insert("input".to_owned(), all);
        let style = if task.kind == ToolKind::Python {
            Style::Python
        } else {
            Style::Json
        };
        let Json::Object(mut config) = template::render(&task.config, &scope, style)? else {
            return Err(
                Failure::new("config", "the tool's fields are no mapping").at(&task.config.place)
            );
        };
        if at == 0 {
            for (name, value) in &self.command.overrides {
                let mut value = value.clone();
                reference::resolve(&mut value, &self.given, self.host).await?;
                override_field(&mut config, name, &value);
            }
        }
        self.calls += 1;
        let mut context = self.context.clone();
        context.insert(
            "task_key".to_owned(),
            format!("{}/{at}/{}", self.command.id, self.calls).into(),
        );
        let call = Call {
            kind: task.kind,
            config: &config,
            args: &args,
            context: &context,
            timeout: task.timeout.map(Duration::from_secs_f64),
            place: &task.config.place,
        };
        let result = tool::run(&call, self.host).await;
        result.and_then(|result| reported_error(result, task))
    }
}

/// What follows a task.
enum Verdict {
    Continue,
    Break,
    Fail,
    Jump(String),
}
