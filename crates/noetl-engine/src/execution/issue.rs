//! Commands: how they are issued, and how they end.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::event_name::{COMMAND_COMPLETED, COMMAND_FAILED, COMMAND_ISSUED, STEP_ENTER};
use super::frame::{Frame, PendingCommand, Purpose, Work};
use super::names::EvaluationContext;
use super::state::Machine;
use crate::command::{Command, Outcome};
use crate::field::Field;
use crate::playbook::{Task, ToolKind, main_parameters, reads_context};
use crate::template::{self, Scope, Style, to_json};
use noetl_api::{EventStatus, Failure};

/// The names that a command's templates and code use.
struct CommandNames {
    values: Map<String, Json>,
    /// The tasks' results of those that are results of steps.
    results: Map<String, Json>,
    /// Steps without a result.
    undefined: Vec<String>,
}

impl Machine {
    /// Issues the command for a frame's call. A step without tools needs none: its result is its arguments.
    pub(super) fn issue_call(&mut self, frame: Frame, delay: f64) {
        let (run, iteration) = (frame.run, frame.iteration);
        let Some(step) = self.step_of(run) else {
            return;
        };
        let (name, tasks) = (step.name.clone(), step.tasks.clone());
        let args = match self.step_arguments(run, iteration) {
            Ok(args) => args,
            Err(failure) => return self.queue_failure(run, iteration, failure),
        };
        if tasks.is_empty() {
            self.emit(STEP_ENTER, EventStatus::Running, |event| {
                event.step = Some(name)
            });
            let outcome = Outcome {
                result: Json::Object(args),
                ..Outcome::default()
            };
            let (frame, outcome) = (Box::new(frame), Box::new(outcome));
            self.queue.push_back(Work::Returned { frame, outcome });
            return;
        }
        self.issue_command(frame, tasks, args, Scope::new(), delay);
    }

    /// Issues a command. `after_call` are names that have a value only after a call.
    pub(super) fn issue_command(
        &mut self,
        frame: Frame,
        tasks: Vec<Task>,
        args: Map<String, Json>,
        after_call: Scope,
        delay: f64,
    ) {
        let Some(run) = self.runs.get(&frame.run) else {
            return;
        };
        let step = self.playbook.steps[run.step].name.clone();
        let names = self.command_context(
            &tasks,
            &EvaluationContext {
                run,
                iteration: frame.iteration,
                after_call,
                args: &args,
            },
        );
        self.command_count += 1;
        let keychain = &self.playbook.keychain;
        let command = Command {
            id: format!("{}:{step}:{}", self.execution_id, self.command_count),
            execution_id: self.execution_id.clone(),
            step,
            iteration: frame.iteration,
            attempt: frame.attempt,
            delay_ms: (delay.max(0.0) * 1000.0) as u64,
            tasks,
            context: names.values,
            results: names.results,
            undefined: names.undefined,
            args,
            overrides: match frame.purpose {
                Purpose::Call => frame.overrides.clone(),
                Purpose::Sink | Purpose::Claim => Map::new(),
            },
            keychain: keychain
                .iter()
                .map(|entry| (entry.name.clone(), self.credential_name(&entry.credential)))
                .collect(),
            secrets: self.secrets.clone(),
            given: self.given.clone(),
        };
        self.emit(COMMAND_ISSUED, EventStatus::Pending, |event| {
            event.context = json!({
                "tool": command.tasks.first().map(|task| task.kind.name()),
                "args": command.args,
                "attempt": command.attempt,
                "delay_ms": command.delay_ms,
                "iteration": command.iteration,
            });
            event.step = Some(command.step.clone());
            event.command_id = Some(command.id.clone());
        });
        self.turn.commands.push(command.clone());
        self.pending
            .insert(self.command_count, PendingCommand { frame, command });
    }

    /// Ends the command of a frame, if it has one, while its step may go on.
    pub(super) fn end_command(&mut self, frame: &mut Frame, failed: bool) {
        let Some(command_id) = frame.command_id.take() else {
            return;
        };
        let step = self.step_of(frame.run).map(|step| step.name.clone());
        let (name, status) = if failed {
            (COMMAND_FAILED, EventStatus::Failed)
        } else {
            (COMMAND_COMPLETED, EventStatus::Completed)
        };
        self.emit(name, status, |event| {
            event.step = step;
            event.command_id = Some(command_id);
        });
    }

    /// Returns the name of a credential, which may be a template over the variables.
    fn credential_name(&self, name: &str) -> String {
        if !template::is_template(name) {
            return name.to_owned();
        }
        let mut names = self.all_values();
        names.insert("workload".to_owned(), Json::Object(self.workload.clone()));
        let rendered = template::render_value(&name.into(), &names).ok();
        rendered
            .as_ref()
            .and_then(Json::as_str)
            .unwrap_or(name)
            .to_owned()
    }

    /// Returns the values that the tasks' templates and code use.
    fn command_context(&self, tasks: &[Task], context: &EvaluationContext<'_>) -> CommandNames {
        let mut names: BTreeSet<String> = tasks
            .iter()
            .flat_map(Task::fields)
            .flat_map(Field::roots)
            .map(str::to_owned)
            .collect();
        names.insert("execution_id".to_owned());
        let mut values = Map::new();
        for task in tasks.iter().filter(|task| task.kind == ToolKind::Python) {
            let parameters = main_parameters(task);
            let is_argument = |name: &String| {
                context.args.contains_key(name) || task.args.iter().any(|field| field.name == *name)
            };
            // A single parameter that is no name takes all values.
            let takes_all = parameters.len() == 1
                && !is_argument(&parameters[0])
                && self.lookup(&parameters[0], context).is_none();
            if takes_all || reads_context(task) {
                values.extend(self.all_values());
                names.insert("workload".to_owned());
            }
            names.extend(parameters);
        }
        let (mut results, mut undefined) = (Map::new(), Vec::new());
        for name in names {
            let Some(value) = self.lookup(&name, context) else {
                continue;
            };
            if value.is_undefined() {
                undefined.push(name);
                continue;
            }
            let is_after_call = context.after_call.contains_key(&name);
            let is_hidden = is_after_call || context.args.contains_key(&name);
            if let Some(result) = self.results.get(&name).filter(|_| !is_hidden) {
                results.insert(name.clone(), to_json(&result.tasks));
            } else if is_after_call {
                results.insert(name.clone(), Json::Null);
            }
            values.insert(name, to_json(&value));
        }
        CommandNames {
            values,
            results,
            undefined,
        }
    }

    /// Returns the arguments of a step: its own, overridden by those of the edge that led to it.
    fn step_arguments(
        &self,
        run: u64,
        iteration: Option<usize>,
    ) -> Result<Map<String, Json>, Failure> {
        let Some(run) = self.runs.get(&run) else {
            return Ok(Map::new());
        };
        let context = EvaluationContext::before_call(run, iteration);
        let mut args = Map::new();
        for field in &self.playbook.steps[run.step].args {
            if !run.args.contains_key(&field.name) {
                let value = template::render(field, &self.scope(field, &context), Style::Data)?;
                field.insert_into(&mut args, value);
            }
        }
        args.extend(run.args.clone());
        Ok(args)
    }
}
