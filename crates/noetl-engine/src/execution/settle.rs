//! From an outcome to the end of the step: rules over its events, results, and the way on.

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::Outcome;
use super::event_name::{
    CALL_DONE, CALL_ERROR, COMMAND_COMPLETED, COMMAND_FAILED, LOOP_DONE, SINK_EXECUTED,
    SINK_FAILED, STEP_EXIT,
};
use super::names::Moment;
use super::state::{Frame, Machine, Phase, StepRecord};
use crate::playbook::{Arc as Way, Assignment, Case, Scope as Variables};
use crate::template::{self, Scope, from_json, to_json};
use crate::tool::Failure;

/// Names of the event at the end of a call, for rules that ask for one of them.
const DONE: [&str; 1] = [CALL_DONE];
const ERROR: [&str; 1] = [CALL_ERROR];
/// Names of the event at the end of a step.
const EXIT_DONE: [&str; 2] = [STEP_EXIT, "step.done"];
const EXIT_ERROR: [&str; 2] = [STEP_EXIT, "step.failed"];
/// Names of the event at the end of a loop.
const EXIT_LOOP: [&str; 3] = [LOOP_DONE, STEP_EXIT, "step.done"];
/// Under which names an arc's guard sees the end of a step: once is enough for it to hold.
const ARC_DONE: [&str; 3] = [STEP_EXIT, CALL_DONE, "step.done"];
const ARC_ERROR: [&str; 3] = [STEP_EXIT, CALL_ERROR, "step.failed"];
const ARC_LOOP: [&str; 4] = [STEP_EXIT, LOOP_DONE, "step.done", CALL_DONE];

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
                "FAILED"
            } else {
                "COMPLETED"
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
    fn fire(&mut self, mut frame: Frame, names: &[&'static str], phase: Phase) {
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
            if frame.fired.contains(&index) || (names.contains(&LOOP_DONE) && !asks) {
                continue;
            }
            let Some(when) = &case.when else {
                return Ok(Some(index));
            };
            for name in names {
                if self.condition(frame, when, name)? {
                    return Ok(Some(index));
                }
                // Only a rule that asks for the event can see another name differently.
                if !asks {
                    break;
                }
            }
        }
        Ok(None)
    }

    fn condition(
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
                Phase::Exit if frame.iteration.is_some() => return self.iteration_done(frame),
                // A rule that led somewhere has spoken for the exit as well.
                Phase::Exit if frame.ways.is_empty() => {
                    let failed = frame.outcome.error.is_some();
                    let names: &[&str] = if failed { &EXIT_ERROR } else { &EXIT_DONE };
                    let sink = self
                        .step_of(frame.run)
                        .is_some_and(|step| step.sink.is_some())
                        && !failed;
                    return self.fire(frame, names, if sink { Phase::Sink } else { Phase::Leave });
                }
                Phase::Exit => frame.phase = Phase::Leave,
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

    fn command_ended(&mut self, frame: &mut Frame, error: Option<&Failure>) {
        let Some(command_id) = frame.command_id.take() else {
            return;
        };
        let step = self.step_of(frame.run).map(|step| step.name.clone());
        let (name, status) = match error {
            None => (COMMAND_COMPLETED, "COMPLETED"),
            Some(_) => (COMMAND_FAILED, "FAILED"),
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

    fn iteration_done(&mut self, mut frame: Frame) {
        self.close_command(&mut frame);
        let Some(index) = frame.iteration else { return };
        let failed = frame.outcome.error.clone().filter(|_| !frame.handled);
        let result = self.final_value(&mut frame);
        let mut assignments = self
            .step_of(frame.run)
            .map(|step| step.set.clone())
            .unwrap_or_default();
        assignments.retain(|assignment| assignment.scope == Variables::Iter);
        let assigned = if failed.is_none() && !assignments.is_empty() {
            self.remember(&frame, &result);
            self.assign(&frame, &assignments, CALL_DONE)
        } else {
            Ok(())
        };
        let failed = failed.or(assigned.err());
        let Some(repeat) = self
            .runs
            .get_mut(&frame.run)
            .and_then(|run| run.repeat.as_mut())
        else {
            return;
        };
        repeat.in_flight = repeat.in_flight.saturating_sub(1);
        repeat.results[index] = result;
        repeat.failed += usize::from(failed.is_some() || frame.outcome.error.is_some());
        for way in std::mem::take(&mut frame.ways) {
            if !repeat.ways.iter().any(|known| known.step == way.step) {
                repeat.ways.push(way);
            }
        }
        if repeat.failure.is_none() {
            repeat.failure = failed;
        }
        self.iterate(frame.run);
    }

    /// Every iteration is back: the loop's result, and the rules over it.
    pub(super) fn loop_done(&mut self, run: u64) {
        let Some(token) = self.runs.get_mut(&run) else {
            return;
        };
        let Some(repeat) = token.repeat.as_mut() else {
            return;
        };
        let (results, failed, total) = (repeat.results.clone(), repeat.failed, repeat.items.len());
        let (failure, ways) = (repeat.failure.clone(), std::mem::take(&mut repeat.ways));
        let ran = repeat.next;
        let step = self.playbook.steps[token.step].name.clone();
        let results: Vec<Json> = results.iter().take(ran).map(to_json).collect();
        let success = ran.saturating_sub(failed);
        let result = json!({ "results": results, "stats": { "total": total, "success": success, "failed": failed } });
        self.loop_results = Some(from_json(&result));
        self.emit(
            LOOP_DONE,
            if failure.is_some() {
                "FAILED"
            } else {
                "COMPLETED"
            },
            |event| {
                event.step = Some(step);
                event.result = result.clone();
                event.error.clone_from(&failure);
            },
        );
        let mut frame = Frame::new(run, None);
        frame.response = from_json(&result);
        frame.outcome = Outcome {
            result,
            error: failure,
            ..Outcome::default()
        };
        frame.ways = ways;
        frame.phase = Phase::Exit;
        if frame.outcome.error.is_some() {
            return self.fire(frame, &EXIT_ERROR, Phase::Leave);
        }
        if frame.ways.is_empty() {
            let sink = self.step_of(run).is_some_and(|step| step.sink.is_some());
            return self.fire(
                frame,
                &EXIT_LOOP,
                if sink { Phase::Sink } else { Phase::Leave },
            );
        }
        self.settle(frame);
    }

    /// The result that the frame leaves: what was collected, else the response.
    fn final_value(&self, frame: &mut Frame) -> Value {
        match frame.collected.take() {
            Some(items) => Value::from(items),
            None => frame.response.clone(),
        }
    }

    fn remember(&mut self, frame: &Frame, value: &Value) {
        let Some(step) = self.runs.get(&frame.run).map(|run| run.step) else {
            return;
        };
        let tasks = from_json(&Json::Object(frame.outcome.tasks.clone()));
        self.record(
            step,
            StepRecord {
                value: value.clone(),
                tasks,
            },
        );
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

    /// The end of a step: its result is kept, its variables are set, and tokens go on.
    fn leave(&mut self, mut frame: Frame) {
        let Some(token) = self.runs.get(&frame.run) else {
            return;
        };
        let index = token.step;
        let step = self.playbook.steps[index].clone();
        let mut failure = frame.outcome.error.clone();
        if failure.is_none() {
            let value = self.final_value(&mut frame);
            frame.response = value.clone();
            self.remember(&frame, &value);
            let mut assignments = step.set.clone();
            // Those of a loop's body were made by each iteration.
            assignments
                .retain(|assignment| step.repeat.is_none() || assignment.scope == Variables::Ctx);
            if let Err(error) = self.assign(&frame, &assignments, STEP_EXIT) {
                failure = Some(error.clone());
                frame.outcome = Outcome::failed(error);
            }
        }
        let ways = match self.ways_on(&mut frame, &step) {
            Ok(ways) => ways,
            Err(error) => {
                failure = Some(error.clone());
                frame.outcome = Outcome::failed(error);
                frame.handled = false;
                Vec::new()
            }
        };
        let (name, status) = (
            step.name.clone(),
            if failure.is_some() {
                "FAILED"
            } else {
                "COMPLETED"
            },
        );
        let targets: Vec<_> = ways.iter().map(|way| way.step.clone()).collect();
        self.emit(STEP_EXIT, status, |event| {
            event.step = Some(name);
            event.context = json!({ "next": targets });
            event.error.clone_from(&failure);
        });
        self.close_command(&mut frame);
        if let Some(failure) = failure.filter(|_| !frame.handled) {
            return self.fail(failure.at(&step.place));
        }
        if ways.is_empty()
            && !step.next.arcs.is_empty()
            && self.playbook.executor.no_next_is_error
            && !frame.handled
        {
            let failure = Failure::new("routing", format!("no arc of step `{}` holds", step.name));
            return self.fail(failure.at(&step.place));
        }
        let arrivals: Result<Vec<_>, Failure> =
            ways.iter().map(|way| self.arc_args(&frame, way)).collect();
        self.runs.remove(&frame.run);
        match arrivals {
            Ok(arrivals) => {
                for (way, args) in ways.iter().zip(arrivals) {
                    if self.status.is_final() || self.failure.is_some() {
                        return;
                    }
                    self.arrive(&way.step, args);
                }
            }
            Err(failure) => self.fail(failure.at(&step.place)),
        }
    }

    /// Where the step leads: where a rule said, else where its arcs do.
    fn ways_on(
        &self,
        frame: &mut Frame,
        step: &crate::playbook::Step,
    ) -> Result<Vec<Way>, Failure> {
        let routed = std::mem::take(&mut frame.ways);
        let failed = frame.outcome.error.is_some();
        let candidates: &[Way] = if routed.is_empty() {
            &step.next.arcs
        } else {
            &routed
        };
        let all = !routed.is_empty() || step.next.inclusive;
        let names: &[&str] = match (failed, step.repeat.is_some()) {
            (true, _) => &ARC_ERROR,
            (false, true) => &ARC_LOOP,
            (false, false) => &ARC_DONE,
        };
        let mut ways = Vec::new();
        for way in candidates {
            let holds = match &way.when {
                // After a failure only those arcs count that ask for it.
                None => !failed || !routed.is_empty(),
                Some(when)
                    if failed && routed.is_empty() && !when.roots().any(asks_for_failure) =>
                {
                    false
                }
                Some(when) => self.any_name(frame, when, names)?,
            };
            if holds {
                frame.handled |= failed;
                ways.push(way.clone());
                if !all {
                    break;
                }
            }
        }
        Ok(ways)
    }

    fn any_name(
        &self,
        frame: &Frame,
        when: &crate::playbook::Field,
        names: &[&str],
    ) -> Result<bool, Failure> {
        for name in names {
            if self.condition(frame, when, name)? {
                return Ok(true);
            }
            if !when.roots().any(|root| root == "event") {
                break;
            }
        }
        Ok(false)
    }

    /// The arguments that an arc brings to its target; its assignments are made on the way.
    pub(super) fn arc_args(
        &mut self,
        frame: &Frame,
        way: &Way,
    ) -> Result<Map<String, Json>, Failure> {
        self.assign(frame, &way.set, STEP_EXIT)?;
        let mut args = Map::new();
        for field in &way.args {
            let Some(token) = self.runs.get(&frame.run) else {
                break;
            };
            let moment = Moment {
                run: Some(token),
                iteration: frame.iteration,
                extra: self.after(frame, STEP_EXIT),
                args: &token.args,
            };
            let scope: Scope = self.scope(field, &moment);
            let value = template::render(field, &scope, template::Style::Json)?;
            super::enter::spread(&mut args, &field.name, value);
        }
        Ok(args)
    }
}

fn asks_for_failure(root: &str) -> bool {
    matches!(root, "event" | "error" | "outcome" | "output")
}
