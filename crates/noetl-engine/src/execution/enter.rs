//! Entering a step: admission, arguments, loops, and the commands that come of it.

use noetl_api::EventStatus;
use serde_json::{Map, Value as Json, json};

use super::event_name::{COMMAND_ISSUED, STEP_ENTER, STEP_SKIPPED};
use super::frame::{Frame, Iterations, Pending, Run, Work};
use super::names::Moment;
use super::state::Machine;
use super::{Command, Outcome};
use crate::playbook::{Field, Step, Task, ToolKind};
use crate::template::{self, Scope, Style, from_json, to_json};
use crate::tool::Failure;

impl Machine {
    /// A token arrives at a step. `end` waits until every branch has arrived.
    pub(super) fn arrive(&mut self, name: &str, args: Map<String, Json>) {
        let step = self.playbook.step(name);
        let parks = name.eq_ignore_ascii_case("end")
            && step.is_none_or(|step| step.next.arcs.is_empty() && step.repeat.is_none());
        if parks {
            self.ending.get_or_insert_default().extend(args);
        } else {
            let step = name.to_owned();
            self.ready.push_back(Work::Enter { step, args });
        }
    }

    /// The parked `end` runs, if the playbook wrote one.
    pub(super) fn enter_end(&mut self, args: Map<String, Json>) {
        let end = self
            .playbook
            .steps
            .iter()
            .find(|step| step.name.eq_ignore_ascii_case("end"));
        if let Some(name) = end.map(|step| step.name.clone()) {
            self.enter_named(&name, args);
        }
    }

    pub(super) fn enter_named(&mut self, name: &str, args: Map<String, Json>) {
        let Some(step) = self
            .playbook
            .steps
            .iter()
            .position(|step| step.name == name)
        else {
            return;
        };
        let Some(id) = self.token() else { return };
        self.runs.insert(
            id,
            Run {
                step,
                args,
                repeat: None,
                entered: false,
            },
        );
        match self.admitted(id) {
            Ok(true) => self.begin(id),
            Ok(false) => {
                self.runs.remove(&id);
                let name = name.to_owned();
                self.emit(STEP_SKIPPED, EventStatus::Completed, |event| {
                    event.step = Some(name)
                });
            }
            Err(failure) => self.call_failed(id, None, failure),
        }
    }

    /// The step of a run.
    pub(super) fn step_of(&self, run: u64) -> Option<&Step> {
        self.runs
            .get(&run)
            .map(|run| &self.playbook.steps[run.step])
    }

    fn admitted(&self, run: u64) -> Result<bool, Failure> {
        let Some(token) = self.runs.get(&run) else {
            return Ok(false);
        };
        let moment = Moment {
            run: Some(token),
            iteration: None,
            extra: Scope::new(),
            args: &token.args,
        };
        for admission in &self.playbook.steps[token.step].admit {
            let holds = match &admission.when {
                None => true,
                Some(when) => template::holds(when, &self.scope(when, &moment))?,
            };
            if holds {
                return Ok(admission.allow);
            }
        }
        Ok(true)
    }

    fn begin(&mut self, run: u64) {
        let Some(token) = self.runs.get(&run) else {
            return;
        };
        let step = &self.playbook.steps[token.step];
        let Some(repeat) = &step.repeat else {
            self.issue(Frame::new(run, None), 0.0);
            return;
        };
        let moment = Moment {
            run: Some(token),
            iteration: None,
            extra: Scope::new(),
            args: &token.args,
        };
        let rendered = template::value(&repeat.items, &self.scope(&repeat.items, &moment))
            .and_then(|items| {
                let limit = &repeat.max_in_flight;
                Ok((
                    items,
                    template::render(limit, &self.scope(limit, &moment), Style::Json)?,
                ))
            });
        let (items, limit) = match rendered {
            Ok(rendered) => rendered,
            Err(failure) => return self.call_failed(run, None, failure),
        };
        let limit = limit
            .as_f64()
            .or_else(|| limit.as_str()?.trim().parse().ok())
            .unwrap_or(1.0);
        let items = match to_json(&items) {
            Json::Array(items) => items.iter().map(from_json).collect(),
            Json::Null => Vec::new(),
            other => vec![from_json(&other)],
        };
        if let Some(token) = self.runs.get_mut(&run) {
            token.repeat = Some(Iterations {
                vars: vec![Default::default(); items.len()],
                results: vec![template::from_json(&Json::Null); items.len()],
                items,
                next: 0,
                limit: if limit >= 1.0 { limit as usize } else { 1 },
                in_flight: 0,
                failure: None,
                failed: 0,
                ways: Vec::new(),
            });
        }
        self.iterate(run);
    }

    /// Issues the command of a frame, or goes on at once when the step has no tool.
    pub(super) fn issue(&mut self, frame: Frame, delay: f64) {
        let (run, iteration) = (frame.run, frame.iteration);
        let Some(token) = self.runs.get(&run) else {
            return;
        };
        let step = &self.playbook.steps[token.step];
        let (name, tasks) = (step.name.clone(), step.tasks.clone());
        let args = match self.arguments(run, iteration) {
            Ok(args) => args,
            Err(failure) => return self.call_failed(run, iteration, failure),
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
            self.ready.push_back(Work::Returned { frame, outcome });
            return;
        }
        self.send(frame, tasks, args, &Scope::new(), delay);
    }

    /// Puts a command on its way.
    pub(super) fn send(
        &mut self,
        frame: Frame,
        tasks: Vec<Task>,
        args: Map<String, Json>,
        extra: &Scope,
        delay: f64,
    ) {
        let Some(token) = self.runs.get(&frame.run) else {
            return;
        };
        let step = self.playbook.steps[token.step].name.clone();
        let moment = Moment {
            run: Some(token),
            iteration: frame.iteration,
            extra: extra.clone(),
            args: &args,
        };
        let (context, results) = self.context(&tasks, &moment);
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
            context,
            results,
            args,
            overrides: if frame.saving {
                Map::new()
            } else {
                frame.overrides.clone()
            },
            keychain: keychain
                .iter()
                .map(|entry| (entry.name.clone(), self.credential(&entry.credential)))
                .collect(),
            secrets: self.secrets.clone(),
        };
        let event = command.clone();
        self.emit(COMMAND_ISSUED, EventStatus::Pending, |issued| {
            issued.context = json!({
                "tool": event.tasks.first().map(|task| task.kind.name()),
                "args": event.args,
                "attempt": event.attempt,
                "iteration": event.iteration,
            });
            issued.step = Some(event.step);
            issued.command_id = Some(event.id);
        });
        self.pending.insert(
            self.command_count,
            Pending {
                frame,
                command: command.clone(),
            },
        );
        self.turn.commands.push(command);
    }

    /// The name of a credential, which may be a template over the variables.
    fn credential(&self, name: &str) -> String {
        if !template::is_template(name) {
            return name.to_owned();
        }
        let mut names = self.everything();
        names.insert("workload".to_owned(), Json::Object(self.workload.clone()));
        let rendered = template::render_value(&name.into(), &names).ok();
        rendered
            .as_ref()
            .and_then(Json::as_str)
            .unwrap_or(name)
            .to_owned()
    }

    /// What the tasks' templates and code ask for.
    fn context(
        &self,
        tasks: &[Task],
        moment: &Moment<'_>,
    ) -> (Map<String, Json>, Map<String, Json>) {
        let mut names: std::collections::BTreeSet<String> = tasks
            .iter()
            .flat_map(Task::fields)
            .flat_map(Field::roots)
            .map(str::to_owned)
            .collect();
        names.insert("execution_id".to_owned());
        let mut context = Map::new();
        for task in tasks.iter().filter(|task| task.kind == ToolKind::Python) {
            let parameters = crate::pipeline::main_parameters(task);
            let known = |name: &String| {
                moment.args.contains_key(name) || task.args.iter().any(|field| field.name == *name)
            };
            let takes_all = parameters.len() == 1
                && !known(&parameters[0])
                && self.lookup(&parameters[0], moment).is_none();
            if takes_all || crate::pipeline::reads_context(task) {
                context.extend(self.everything());
                names.insert("workload".to_owned());
            }
            names.extend(parameters);
        }
        let mut results = Map::new();
        for name in names {
            if let Some(value) = self.lookup(&name, moment) {
                let shadowed = moment.extra.contains_key(&name) || moment.args.contains_key(&name);
                if let Some(record) = self.results.get(&name).filter(|_| !shadowed) {
                    results.insert(name.clone(), to_json(&record.tasks));
                } else if moment.extra.contains_key(&name) {
                    results.insert(name.clone(), Json::Null);
                }
                context.insert(name, to_json(&value));
            }
        }
        (context, results)
    }

    /// The arguments of a step: its own, and over them what the arc brought.
    fn arguments(&self, run: u64, iteration: Option<usize>) -> Result<Map<String, Json>, Failure> {
        let Some(token) = self.runs.get(&run) else {
            return Ok(Map::new());
        };
        let moment = Moment {
            run: Some(token),
            iteration,
            extra: Scope::new(),
            args: &token.args,
        };
        let mut args = Map::new();
        for field in &self.playbook.steps[token.step].args {
            if !token.args.contains_key(&field.name) {
                let value = template::render(field, &self.scope(field, &moment), Style::Data)?;
                spread(&mut args, &field.name, value);
            }
        }
        args.extend(token.args.clone());
        Ok(args)
    }

    /// A step that fails before there is a command.
    pub(super) fn call_failed(&mut self, run: u64, iteration: Option<usize>, failure: Failure) {
        let frame = Box::new(Frame::new(run, iteration));
        let outcome = Box::new(Outcome::failed(failure));
        self.ready.push_back(Work::Returned { frame, outcome });
    }
}

/// Adds an argument; one without a name is a mapping to be spread.
pub(crate) fn spread(args: &mut Map<String, Json>, name: &str, value: Json) {
    match value {
        Json::Object(entries) if name.is_empty() => args.extend(entries),
        value if name.is_empty() => {
            args.insert("value".to_owned(), value);
        }
        value => {
            args.insert(name.to_owned(), value);
        }
    }
}

impl Task {
    /// Every field with templates.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        let rules = self.rules.iter().flat_map(|rule| {
            rule.when
                .iter()
                .chain(rule.set.iter().map(|assignment| &assignment.field))
        });
        std::iter::once(&self.config).chain(&self.args).chain(rules)
    }
}
