//! The attempts of one task.

use std::time::{Duration, Instant};

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::decision::{AfterAttempt, AfterTask};
use super::fields::{check_reported_error, override_field};
use super::input::{LIMIT, input_of, own_code_line};
use super::resolve::resolve;
use super::state::Pipeline;
use crate::command::{Attempt, Outcome};
use crate::host::{Host as _, Stream};
use crate::playbook::{Task, ToolKind};
use crate::template::{self, Scope, Style, from_json, to_json};
use crate::tool::{self, Call};
use noetl_api::Failure;

/// The most seconds between two attempts.
const MAX_DELAY: f64 = 3600.0;

impl Pipeline<'_> {
    /// Runs one task with its retries; returns the last outcome and what follows it.
    pub(super) async fn run_task(&mut self, position: usize, task: &Task) -> (Outcome, AfterTask) {
        let mut attempt = 1;
        loop {
            self.scope
                .insert("_task".to_owned(), Value::from(task.name.as_str()));
            self.scope
                .insert("_attempt".to_owned(), Value::from(attempt));
            let begun = Instant::now();
            let number = self.command.attempt - 1 + attempt;
            let called = self.call(position, task, number).await;
            let mut outcome = match called {
                Ok(result) => Outcome {
                    result,
                    ..Outcome::default()
                },
                Err(failure) => Outcome::failed(failure),
            };
            outcome.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            match self.decide(task, &outcome, attempt) {
                Err(failure) => return (Outcome::failed(failure), AfterTask::Fail),
                Ok(AfterAttempt::Retry { delay }) => {
                    let error = outcome.error.as_ref();
                    let asked = error.and_then(|failure| failure.retry_after);
                    let delay = delay.max(asked.unwrap_or(0.0)).clamp(0.0, MAX_DELAY);
                    let delay = Duration::from_secs_f64(delay);
                    if let Some(failure) = error {
                        let place = &task.config.place;
                        self.host.retrying(place, attempt, failure, delay);
                    }
                    let note = format!("attempt {} in {} s", number + 1, delay.as_secs_f64());
                    let place = &task.config.place;
                    self.host.output_line(place, number, Stream::Note, &note);
                    self.outcome.attempts.push(Attempt {
                        number,
                        result: outcome.result,
                        error: outcome.error,
                        duration_ms: outcome.duration_ms,
                    });
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    attempt += 1;
                }
                Ok(AfterAttempt::Proceed(next)) => return (outcome, next),
            }
        }
    }

    /// Makes one attempt: evaluates the templates, then calls the tool.
    async fn call(&mut self, position: usize, task: &Task, attempt: u32) -> Result<Json, Failure> {
        self.resolve_assigned().await?;
        let (args, scope) = self.arguments(task)?;
        let style = if task.kind == ToolKind::Python {
            Style::Python
        } else {
            Style::Json
        };
        let Json::Object(mut config) = template::render(&task.config, &scope, style)? else {
            return Err(
                Failure::new("config", "the tool's fields are not a mapping")
                    .at(&task.config.place),
            );
        };
        if position == 0 {
            for (name, value) in &self.command.overrides {
                let mut value = value.clone();
                resolve(&mut value, &self.references, self.host).await?;
                override_field(&mut config, name, &value);
            }
        }
        self.calls += 1;
        let key = format!("{}/{position}/{}", self.command.id, self.calls);
        let call = Call {
            kind: task.kind,
            config: &config,
            args: &args,
            context: &self.context,
            key: &key,
            attempt,
            timeout: task.timeout.map(Duration::from_secs_f64),
            place: &task.config.place,
            code_line: own_code_line(task),
        };
        let result = tool::run(&call, self.host).await;
        // After the call, which has told the host of its secrets.
        let room = LIMIT / self.command.tasks.len();
        let input = input_of(task, &config, &args, self.host, room);
        match (&mut self.outcome.input, self.command.tasks.len() > 1) {
            (Json::Object(inputs), true) => {
                inputs.insert(task.name.clone(), input);
            }
            (outcome, true) => *outcome = json!({ &task.name: input }),
            (outcome, false) => *outcome = input,
        }
        result.and_then(|result| check_reported_error(result, task))
    }

    /// Returns the arguments of a task, and the scope of its other templates.
    fn arguments(&self, task: &Task) -> Result<(Map<String, Json>, Scope), Failure> {
        let mut args = self.args.clone();
        // A parameter of a statement may be meant as JSON text.
        let style = match task.kind {
            ToolKind::Postgres | ToolKind::Sqlite | ToolKind::Duckdb | ToolKind::Sink => {
                Style::Json
            }
            _ => Style::Data,
        };
        let mut scope = self.scope.clone();
        let mut values = self.arg_values.clone();
        for field in &task.args {
            let value = template::render_shared(field, &scope, style)?;
            let json = to_json(&value);
            match (field.name.as_str(), &json) {
                ("", Json::Object(entries)) => {
                    values.extend(
                        entries
                            .iter()
                            .map(|(name, item)| (name.clone(), from_json(item))),
                    );
                }
                ("", _) => {
                    values.insert("value".to_owned(), value);
                }
                (name, _) => {
                    values.insert(name.to_owned(), value);
                }
            }
            field.insert_into(&mut args, json);
        }
        let keys = args.keys();
        let all = Value::from_pairs(
            keys.filter_map(|name| Some((name.clone(), values.get(name)?.clone()))),
        );
        scope.extend(values);
        scope
            .entry("data".to_owned())
            .or_insert_with(|| all.clone());
        scope.insert("args".to_owned(), all.clone());
        scope.insert("input".to_owned(), all);
        Ok((args, scope))
    }
}
