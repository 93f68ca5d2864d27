//! Commands: how they are issued, and how they end.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::event_name::{COMMAND_COMPLETED, COMMAND_FAILED, COMMAND_ISSUED, STEP_ENTER};
use super::frame::{Frame, PendingCommand, Purpose, Work};
use super::names::EvaluationContext;
use super::parts::{Paths, has_all, parts};
use super::state::Machine;
use crate::command::{Command, Outcome};
use crate::field::Field;
use crate::playbook::{Task, ToolKind, keys_of_parameter, main_parameters, reads_context};
use crate::template::{self, Scope, Style};
use noetl_api::{EventStatus, Failure};

/// The names that a command's templates and code use.
struct CommandNames {
    values: Scope,
    /// The tasks' results of those that are results of steps.
    results: Scope,
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
        let (name, tasks) = (step.name.clone(), Arc::clone(&step.tasks));
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
        tasks: Arc<[Task]>,
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
        names.insert("workload".to_owned(), self.workload_value.clone());
        let field = Field::plain("credential", name.into());
        let rendered = template::render(&field, &names, Style::Json).ok();
        rendered
            .as_ref()
            .and_then(Json::as_str)
            .unwrap_or(name)
            .to_owned()
    }

    /// Returns the values that the tasks' templates and code use, and of each the parts that they use.
    fn command_context(&self, tasks: &[Task], context: &EvaluationContext<'_>) -> CommandNames {
        let mut used: BTreeMap<&str, Paths<'_>> = BTreeMap::new();
        for (name, below) in tasks
            .iter()
            .flat_map(Task::fields)
            .flat_map(|field| &field.paths)
            .filter_map(|path| path.split_first())
        {
            used.entry(name).or_default().push(below);
        }
        let mut values = Scope::new();
        let mut parameters = vec!["execution_id".to_owned()];
        for task in tasks.iter().filter(|task| task.kind == ToolKind::Python) {
            values.extend(self.python_context(task, context, &mut parameters));
        }
        for name in &parameters {
            used.entry(name).or_default().push(&[]);
        }
        let mut names = CommandNames {
            values,
            results: Scope::new(),
            undefined: Vec::new(),
        };
        for (name, paths) in used {
            let Some(value) = self.lookup(name, context) else {
                continue;
            };
            if value.is_undefined() {
                names.undefined.push(name.to_owned());
                continue;
            }
            let is_after_call = context.after_call.contains_key(name);
            let is_hidden = is_after_call || context.args.contains_key(name);
            let result = self.results.get(name).filter(|_| !is_hidden);
            let value = match result {
                // A name that the result lacks may be another name of a part of it.
                Some(result) if !has_all(&result.value, &paths) => {
                    let tasks = result.tasks.clone();
                    names.results.insert(name.to_owned(), tasks);
                    result.value.clone()
                }
                Some(result) => {
                    names.results.insert(name.to_owned(), Value::from(()));
                    parts(&result.value, &paths)
                }
                None if is_after_call => {
                    names.results.insert(name.to_owned(), Value::from(()));
                    value
                }
                None => parts(&value, &paths),
            };
            names.values.insert(name.to_owned(), value);
        }
        names
    }

    /// Returns the values for a python task that takes all of them, and adds the parameters of its `main`.
    fn python_context(
        &self,
        task: &Task,
        context: &EvaluationContext<'_>,
        parameters: &mut Vec<String>,
    ) -> Scope {
        let own = main_parameters(task);
        let is_argument = |name: &String| {
            context.args.contains_key(name) || task.args.iter().any(|field| field.name == *name)
        };
        // A single parameter that is no name takes all values, or those that the code names.
        let single = match own.as_slice() {
            [name] if !is_argument(name) && self.lookup(name, context).is_none() => Some(name),
            _ => None,
        };
        let mut values = Scope::new();
        if reads_context(task) {
            values = self.all_values();
            parameters.push("workload".to_owned());
        } else if let Some(name) = single {
            match keys_of_parameter(task, name) {
                Some(keys) => parameters.extend(keys),
                None => {
                    values = self.all_values();
                    parameters.push("workload".to_owned());
                }
            }
        }
        parameters.extend(own);
        values
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
