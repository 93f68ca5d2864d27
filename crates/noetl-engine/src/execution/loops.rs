//! Loops: starting iterations, and the end of a loop.

use std::collections::BTreeMap;

use minijinja::Value;
use noetl_api::EventStatus;
use serde_json::json;

use super::event_name::{LOOP_DONE, LOOP_ITEM, STEP_EXIT};
use super::frame::{Frame, Phase};
use super::state::Machine;
use crate::command::Outcome;
use crate::template::{from_json, to_json};

/// Names that the event at the end of a loop has for rules.
const LOOP_DONE_NAMES: [&str; 3] = [LOOP_DONE, STEP_EXIT, "step.done"];
const LOOP_ERROR_NAMES: [&str; 3] = [LOOP_DONE, STEP_EXIT, "step.failed"];

impl Machine {
    /// Starts as many iterations as may run at once, or ends the loop when all have ended.
    pub(super) fn continue_loop(&mut self, run: u64) {
        loop {
            let Some(step_run) = self.runs.get_mut(&run) else {
                return;
            };
            let step = &self.playbook.steps[step_run.step];
            let Some(state) = &mut step_run.loop_state else {
                return;
            };
            let more = state.next < state.items.len() && state.failure.is_none();
            if !more && state.in_flight == 0 {
                return match state.is_complete || state.failure.is_some() {
                    true => self.end_loop(run),
                    false => self.claim_rows(run),
                };
            }
            if !more || state.in_flight >= state.limit {
                return;
            }
            let index = state.next;
            state.next += 1;
            state.in_flight += 1;
            let (name, item) = (step.name.clone(), to_json(&state.items[index]));
            // Further rows of a cursor may come.
            let total = state.is_complete.then_some(state.items.len());
            self.emit(LOOP_ITEM, EventStatus::Running, |event| {
                event.step = Some(name);
                event.context = json!({ "index": index, "item": item, "total": total });
            });
            self.issue_call(Frame::new(run, Some(index)), 0.0);
        }
    }

    /// Ends a loop whose iterations have all ended: makes its result and applies the rules over it.
    fn end_loop(&mut self, run: u64) {
        let Some(step_run) = self.runs.get_mut(&run) else {
            return;
        };
        let Some(state) = step_run.loop_state.as_mut() else {
            return;
        };
        let started = state.next;
        let mut results = std::mem::take(&mut state.results);
        results.truncate(started);
        let (total, failed) = (state.items.len(), state.failed_count);
        let success = started.saturating_sub(failed);
        let failure = state.failure.clone();
        let routes = std::mem::take(&mut state.routes);
        let step = self.playbook.steps[step_run.step].name.clone();
        let stats = json!({ "total": total, "success": success, "failed": failed });
        let result = Value::from(BTreeMap::from([
            ("results", Value::from(results)),
            ("stats", from_json(&stats)),
        ]));
        self.loop_results = Some(result.clone());
        let status = if failure.is_some() {
            EventStatus::Failed
        } else {
            EventStatus::Completed
        };
        self.emit(LOOP_DONE, status, |event| {
            event.step = Some(step);
            event.result = result.clone();
            event.error.clone_from(&failure);
        });
        let mut frame = Frame::new(run, None);
        frame.response = result;
        frame.outcome = Outcome {
            error: failure,
            ..Outcome::default()
        };
        frame.routes = routes;
        frame.phase = Phase::Exit;
        if frame.outcome.error.is_some() {
            return self.apply_rules(frame, &LOOP_ERROR_NAMES, Phase::Leave);
        }
        if frame.routes.is_empty() {
            let next = self.phase_after_exit(&frame);
            return self.apply_rules(frame, &LOOP_DONE_NAMES, next);
        }
        self.advance(frame);
    }
}
