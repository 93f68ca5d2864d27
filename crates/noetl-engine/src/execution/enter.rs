//! Entry of a step: its admission, and its loop.

use serde_json::{Map, Value as Json};

use super::collection::list_items;
use super::event_name::STEP_SKIPPED;
use super::frame::{Frame, LoopState, StepRun};
use super::names::EvaluationContext;
use super::state::Machine;
use crate::playbook::{Items, Loop};
use crate::template::{self, Style, to_json};
use noetl_api::{EventStatus, Failure};

impl Machine {
    /// Enters a step: starts its call or its loop, unless it is not admitted.
    pub(super) fn enter_step(&mut self, name: &str, args: Map<String, Json>) {
        let Some(step) = self.playbook.graph.number(name) else {
            return;
        };
        // A final step that the workflow leads to has run when the workflow ends.
        let last = self.playbook.executor.final_step.as_deref();
        self.final_step_ran |= last.is_some_and(|last| {
            last.eq_ignore_ascii_case("end") && name.eq_ignore_ascii_case("end")
        });
        let Some(id) = self.new_run_id() else { return };
        let run = StepRun {
            step,
            args,
            loop_state: None,
            entered: false,
        };
        let admitted = self.is_admitted(&run);
        self.runs.insert(id, run);
        match admitted {
            Ok(true) => self.start_step(id),
            Ok(false) => {
                self.runs.remove(&id);
                let name = name.to_owned();
                self.emit(STEP_SKIPPED, EventStatus::Completed, |event| {
                    event.step = Some(name)
                });
            }
            Err(failure) => self.queue_failure(id, None, failure),
        }
    }

    /// Whether the first condition of admission that holds allows the step.
    fn is_admitted(&self, run: &StepRun) -> Result<bool, Failure> {
        let context = EvaluationContext::before_call(run, None);
        for admission in &self.playbook.steps[run.step].admit {
            if self.holds_in(admission.when.as_ref(), &context)? {
                return Ok(admission.allow);
            }
        }
        Ok(true)
    }

    fn start_step(&mut self, id: u64) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let Some(for_each) = &self.playbook.steps[run.step].for_each else {
            return self.issue_call(Frame::new(id, None), 0.0);
        };
        match self.loop_state(run, for_each) {
            Err(failure) => self.queue_failure(id, None, failure),
            Ok(state) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    run.loop_state = Some(state);
                }
                self.continue_loop(id);
            }
        }
    }

    /// Returns the state of a loop before its first iteration.
    fn loop_state(&self, run: &StepRun, for_each: &Loop) -> Result<LoopState, Failure> {
        let context = EvaluationContext::before_call(run, None);
        let limit = &for_each.max_in_flight;
        let limit = template::render(limit, &self.scope(limit, &context), Style::Json)?;
        let limit = limit
            .as_f64()
            .or_else(|| limit.as_str()?.trim().parse().ok())
            .unwrap_or(1.0);
        let mut state = LoopState::new(if limit >= 1.0 { limit as usize } else { 1 });
        if let Items::List(items) = &for_each.items {
            let value = template::value(items, &self.scope(items, &context))?;
            let found = list_items(&to_json(&value)).map_err(|failure| failure.at(&items.place))?;
            state.add_items(found);
            state.is_complete = true;
        }
        Ok(state)
    }
}
