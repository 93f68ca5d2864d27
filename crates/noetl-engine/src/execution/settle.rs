//! From an outcome to the end of the step: rules over its events, results, and the way on.

use minijinja::Value;
use noetl_api::EventStatus;
use serde_json::{Value as Json, json};

use super::Outcome;
use super::event_name::{
    CALL_DONE, CALL_ERROR, COMMAND_COMPLETED, COMMAND_FAILED, LOOP_DONE, SINK_EXECUTED,
    SINK_FAILED, STEP_EXIT,
};
use super::frame::{Frame, Phase, StepRecord};
use super::names::Moment;
use super::state::Machine;
use crate::playbook::{Assignment, Case, Scope as Variables};
use crate::template::{self, from_json, to_json};
use crate::tool::Failure;

/// Names of the event at the end of a call, for rules that ask for one of them.
const DONE: [&str; 1] = [CALL_DONE];
const ERROR: [&str; 1] = [CALL_ERROR];
/// Names of the event at the end of a step.
const EXIT_DONE: [&str; 2] = [STEP_EXIT, "step.done"];
const EXIT_ERROR: [&str; 2] = [STEP_EXIT, "step.failed"];

impl Machine {
    /// A call is back.
    pub(super) fn returned(&mut self, mut frame: Frame, outcome: Outcome) {
        let step = self.step_of(frame.run).map(|step| step.name.clone());
        let saved = frame.saving;
        let (command_id, duration) = (frame.command_id.clone(), outcome.duration_ms);
        let error = outcome.error.clone();
        let name = match (saved, error.is_some()) {
            (false, false) => CALL_DONE,
            (false, true) => CALL_ERROR,
            (true, false) => SINK_EXECUTED,
            (true, true) => SINK_FAILED,
        };
        let result = error.as_ref().map_or_else(
            || outcome.result.clone(),
            |failure| failure.result.clone().unwrap_or_default(),
        );
        let context = json!({ "attempt": frame.attempt, "iteration": frame.iteration });
        self.emit(
            name,
            if error.is_some() {
                EventStatus::Failed
            } else {
                EventStatus::Completed
            },
            |event| {
                event.step = step;
                event.command_id = command_id;
                event.context = context;
                event.result = result;
                event.error.clone_from(&error);
                event.duration_ms = Some(duration);
            },
        );
        if saved {
            self.command_ended(&mut frame, error.as_ref());
            if let Some(failure) = error {
                frame.actions.clear();
                frame.outcome = Outcome::failed(failure);
                frame.handled = false;
                frame.phase = Phase::Leave;
            }
            frame.saving = false;
            return self.settle(frame);
        }
        for (name, value) in &outcome.ctx {
            self.ctx.insert(name.clone(), from_json(value));
        }
        if let Some(vars) = self.iteration_vars(&frame) {
            vars.extend(
                outcome
                    .iter
                    .iter()
                    .map(|(name, value)| (name.clone(), from_json(value))),
            );
        }
        frame.response = from_json(&outcome.result);
        frame.outcome = outcome;
        let names: &[&str] = if frame.outcome.error.is_some() {
            &ERROR
        } else {
            &DONE
        };
        self.fire(frame, names, Phase::Exit);
    }

    fn iteration_vars(
        &mut self,
        frame: &Frame,
    ) -> Option<&mut std::collections::BTreeMap<String, Value>> {
        let repeat = self.runs.get_mut(&frame.run)?.repeat.as_mut()?;
        repeat.vars.get_mut(frame.iteration?)
    }

    /// Evaluates the step's rules for an event, then goes on to `phase`.
    pub(super) fn fire(&mut self, mut frame: Frame, names: &[&'static str], phase: Phase) {
        frame.phase = phase;
        let Some(step) = self.runs.get(&frame.run).map(|run| run.step) else {
            return;
        };
        match self.first_rule(&frame, &self.playbook.steps[step].cases, names) {
            Ok(None) => {}
            Ok(Some(rule)) => {
                frame.fired.push(rule);
                frame.handled |= frame.outcome.error.is_some();
                frame
                    .actions
                    .extend(self.playbook.steps[step].cases[rule].then.iter().cloned());
            }
            Err(failure) => {
                frame.outcome = Outcome::failed(failure);
                frame.handled = false;
                frame.phase = Phase::Leave;
            }
        }
        self.settle(frame);
    }

    fn first_rule(
        &self,
        frame: &Frame,
        cases: &[Case],
        names: &[&str],
    ) -> Result<Option<usize>, Failure> {
        for (index, case) in cases.iter().enumerate() {
            let asks = case
                .when
                .as_ref()
                .is_some_and(|when| when.roots().any(|root| root == "event"));
            // A rule over results has seen each of a loop's; the end is for those that ask for it.
            if names.contains(&LOOP_DONE) && !asks {
                continue;
            }
            let holds = match &case.when {
                None => true,
                Some(when) => self.any_name(frame, when, names)?,
            };
            if holds {
                // The first rule that holds is the one; it acts once for each call.
                return Ok(Some(index).filter(|index| !frame.fired.contains(index)));
            }
        }
        Ok(None)
    }

    pub(super) fn condition(
        &self,
        frame: &Frame,
        when: &crate::playbook::Field,
        event: &str,
    ) -> Result<bool, Failure> {
        let Some(token) = self.runs.get(&frame.run) else {
            return Ok(false);
        };
        let moment = Moment {
            run: Some(token),
            iteration: frame.iteration,
            extra: self.after(frame, event),
            args: &token.args,
        };
        template::holds(when, &self.scope(when, &moment))
    }

    /// Works off the frame's actions and phases until it waits for a command or has left its step.
    pub(super) fn settle(&mut self, mut frame: Frame) {
        loop {
            while let Some(action) = frame.actions.pop_front() {
                match self.act(frame, action) {
                    Some(next) => frame = next,
                    None => return,
                }
            }
            match frame.phase {
                Phase::Exit | Phase::Leave if frame.iteration.is_some() => {
                    return self.iteration_done(frame);
                }
                // A rule that led somewhere has spoken for the exit as well.
                Phase::Exit if frame.ways.is_empty() => {
                    let failed = frame.outcome.error.is_some();
                    let names: &[&str] = if failed { &EXIT_ERROR } else { &EXIT_DONE };
                    let next = self.after_exit(&frame);
                    return self.fire(frame, names, next);
                }
                Phase::Exit => frame.phase = self.after_exit(&frame),
                Phase::Sink => {
                    frame.phase = Phase::Leave;
                    let sink = self.step_of(frame.run).and_then(|step| step.sink.clone());
                    if let Some(sink) = sink {
                        frame
                            .actions
                            .push_back(crate::playbook::Action::Sink(Box::new(sink)));
                    }
                }
                Phase::Call | Phase::Leave => return self.leave(frame),
            }
        }
    }

    /// A step that ended well saves its result before it is left, wherever it goes.
    pub(super) fn after_exit(&self, frame: &Frame) -> Phase {
        let sink = self
            .step_of(frame.run)
            .is_some_and(|step| step.sink.is_some());
        if sink && frame.outcome.error.is_none() {
            Phase::Sink
        } else {
            Phase::Leave
        }
    }

    fn command_ended(&mut self, frame: &mut Frame, error: Option<&Failure>) {
        let Some(command_id) = frame.command_id.take() else {
            return;
        };
        let step = self.step_of(frame.run).map(|step| step.name.clone());
        let (name, status) = match error {
            None => (COMMAND_COMPLETED, EventStatus::Completed),
            Some(_) => (COMMAND_FAILED, EventStatus::Failed),
        };
        self.emit(name, status, |event| {
            event.step = step;
            event.command_id = Some(command_id);
        });
    }

    /// The command is over while its step goes on: another attempt, another iteration.
    pub(super) fn close_command(&mut self, frame: &mut Frame) {
        let error = frame.outcome.error.clone();
        self.command_ended(frame, error.as_ref());
    }

    /// The result that the frame leaves: what was collected, else the response.
    pub(super) fn final_value(&self, frame: &mut Frame) -> Value {
        match frame.collected.take() {
            Some(items) => Value::from(items),
            None => frame.response.clone(),
        }
    }

    /// Keeps the step's result under its name; the answer is what stood there before.
    pub(super) fn remember(&mut self, frame: &Frame, value: &Value) -> Option<StepRecord> {
        let step = self.runs.get(&frame.run)?.step;
        let tasks = from_json(&Json::Object(frame.outcome.tasks.clone()));
        let value = value.clone();
        self.record(step, StepRecord { value, tasks })
    }

    /// Sets variables as they stand after a call.
    pub(super) fn assign(
        &mut self,
        frame: &Frame,
        assignments: &[Assignment],
        event: &str,
    ) -> Result<(), Failure> {
        for assignment in assignments {
            let Some(token) = self.runs.get(&frame.run) else {
                return Ok(());
            };
            let moment = Moment {
                run: Some(token),
                iteration: frame.iteration,
                extra: self.after(frame, event),
                args: &token.args,
            };
            let value =
                template::value(&assignment.field, &self.scope(&assignment.field, &moment))?;
            let value = from_json(&to_json(&value));
            let name = assignment.field.name.clone();
            match (assignment.scope, self.iteration_vars(frame)) {
                (Variables::Iter, Some(vars)) => vars.insert(name, value),
                _ => self.ctx.insert(name, value),
            };
        }
        Ok(())
    }
}
