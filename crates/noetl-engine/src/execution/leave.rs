//! Leaving a step: its variables, its exit, and the ways on from it.

use noetl_api::EventStatus;
use serde_json::{Map, Value as Json, json};

use super::Outcome;
use super::event_name::{CALL_DONE, CALL_ERROR, LOOP_DONE, STEP_EXIT};
use super::frame::{Frame, Routed};
use super::names::Moment;
use super::state::Machine;
use crate::playbook::{Arc as Way, Scope as Variables};
use crate::template::{self, Scope};
use crate::tool::Failure;

/// Under which names an arc's guard sees the end of a step: once is enough for it to hold.
const ARC_DONE: [&str; 3] = [STEP_EXIT, CALL_DONE, "step.done"];
const ARC_ERROR: [&str; 3] = [STEP_EXIT, CALL_ERROR, "step.failed"];
const ARC_LOOP: [&str; 4] = [STEP_EXIT, LOOP_DONE, "step.done", CALL_DONE];

impl Machine {
    /// The end of a step: its result is kept, its variables are set, and tokens go on.
    pub(super) fn leave(&mut self, mut frame: Frame) {
        let Some(token) = self.runs.get(&frame.run) else {
            return;
        };
        let index = token.step;
        let step = self.playbook.steps[index].clone();
        let mut failure = frame.outcome.error.clone();
        if failure.is_none() {
            let value = self.final_value(&mut frame);
            frame.response = value.clone();
            let mut assignments = step.set.clone();
            // Those of a loop's body were made by each iteration.
            assignments
                .retain(|assignment| step.repeat.is_none() || assignment.scope == Variables::Ctx);
            // The assignments name the step's own result; a failed one takes it back.
            let before = self.remember(&frame, &value);
            if let Err(error) = self.assign(&frame, &assignments, STEP_EXIT) {
                self.restore(index, before);
                failure = Some(error.clone());
                frame.outcome = Outcome::failed(error);
            } else {
                self.completed(index);
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
                EventStatus::Failed
            } else {
                EventStatus::Completed
            },
        );
        let targets: Vec<_> = ways.iter().map(|routed| routed.way.step.clone()).collect();
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
        self.runs.remove(&frame.run);
        for Routed { way, args } in ways {
            self.arrive(&way.step, args);
        }
    }

    /// Where the step leads: where a rule said, else where its arcs do.
    fn ways_on(
        &mut self,
        frame: &mut Frame,
        step: &crate::playbook::Step,
    ) -> Result<Vec<Routed>, Failure> {
        let routed = std::mem::take(&mut frame.ways);
        let failed = frame.outcome.error.is_some();
        if !routed.is_empty() {
            frame.handled |= failed;
            return Ok(routed);
        }
        let names: &[&str] = match (failed, step.repeat.is_some()) {
            (true, _) => &ARC_ERROR,
            (false, true) => &ARC_LOOP,
            (false, false) => &ARC_DONE,
        };
        let mut ways = Vec::new();
        for way in &step.next.arcs {
            let holds = match &way.when {
                // After a failure only those arcs count that ask for it.
                None => !failed,
                Some(when) if failed && !when.roots().any(asks_for_failure) => false,
                Some(when) => self.any_name(frame, when, names)?,
            };
            if holds {
                frame.handled |= failed;
                let args = self.arc_args(frame, way)?;
                let way = way.clone();
                ways.push(Routed { way, args });
                if !step.next.inclusive {
                    break;
                }
            }
        }
        Ok(ways)
    }

    /// Whether a condition holds under one of the event's names.
    pub(super) fn any_name(
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
            let value = template::render(field, &scope, template::Style::Data)?;
            super::enter::spread(&mut args, &field.name, value);
        }
        Ok(args)
    }
}

fn asks_for_failure(root: &str) -> bool {
    matches!(root, "event" | "error" | "outcome" | "output")
}
