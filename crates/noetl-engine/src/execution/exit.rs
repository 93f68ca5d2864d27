//! The exit of a step: its variables, and the edges that are taken.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::event_name::{CALL_DONE, CALL_ERROR, LOOP_DONE, STEP_EXIT};
use super::frame::{Frame, Route, StoredResult};
use super::state::Machine;
use crate::command::Outcome;
use crate::playbook::{Step, VariableScope};
use crate::template::from_json;
use noetl_api::{EventStatus, Failure};

/// Names that the event has for conditions of edges; one that holds for any of them holds.
const EDGE_DONE: [&str; 3] = [STEP_EXIT, CALL_DONE, "step.done"];
const EDGE_ERROR: [&str; 3] = [STEP_EXIT, CALL_ERROR, "step.failed"];
const EDGE_LOOP: [&str; 4] = [STEP_EXIT, LOOP_DONE, "step.done", CALL_DONE];

impl Machine {
    /// Ends a step: stores its result, sets its variables, and queues the steps that follow.
    pub(super) fn exit_step(&mut self, mut frame: Frame) {
        let Some(run) = self.runs.get(&frame.run) else {
            return;
        };
        let index = run.step;
        let playbook = Arc::clone(&self.playbook);
        let step = &playbook.steps[index];
        if frame.outcome.error.is_none() {
            self.finish_success(&mut frame, index, step);
        }
        let routes = match self.exit_routes(&mut frame, step) {
            Ok(routes) => routes,
            Err(failure) => {
                frame.outcome = Outcome::failed(failure);
                frame.failure_handled = false;
                Vec::new()
            }
        };
        let failure = frame.outcome.error.clone();
        let status = if failure.is_some() {
            EventStatus::Failed
        } else {
            EventStatus::Completed
        };
        let targets: Vec<_> = routes.iter().map(|route| route.edge.step.clone()).collect();
        self.emit(STEP_EXIT, status, |event| {
            event.step = Some(step.name.clone());
            event.context = json!({ "next": &targets });
            event.error.clone_from(&failure);
        });
        self.end_command(&mut frame, failure.is_some());
        if let Some(failure) = failure.filter(|_| !frame.failure_handled) {
            return self.fail(failure.at(&step.place));
        }
        if routes.is_empty()
            && !step.next.edges.is_empty()
            && self.playbook.executor.no_next_is_error
            && !frame.failure_handled
        {
            let failure = Failure::new("routing", format!("no arc of step `{}` holds", step.name));
            return self.fail(failure.at(&step.place));
        }
        self.runs.remove(&frame.run);
        // Several edges to one step are one arrival.
        let mut arrivals: HashMap<String, Map<String, Json>> = HashMap::new();
        for Route { edge, args } in routes {
            arrivals.entry(edge.step).or_default().extend(args);
        }
        for step in targets {
            if let Some(args) = arrivals.remove(&step) {
                self.queue_step(&step, args);
            }
        }
    }

    /// Stores the result of a step that succeeded and sets its variables. An assignment that fails makes
    /// the step a failure.
    fn finish_success(&mut self, frame: &mut Frame, index: usize, step: &Step) {
        let value = frame.take_result();
        frame.response = value.clone();
        let mut assignments = step.set.clone();
        // In a loop, each iteration has set its own variables.
        assignments
            .retain(|assignment| step.for_each.is_none() || assignment.scope == VariableScope::Ctx);
        // The assignments may use the step's own result, so it is stored first.
        let before = self.store_frame_result(frame, value);
        match self.assign(frame, &assignments, STEP_EXIT) {
            Ok(()) => self.record_completed(index),
            Err(failure) => {
                self.restore_result(index, before);
                frame.outcome = Outcome::failed(failure);
            }
        }
    }

    /// Stores the result of a frame's step and returns the one before.
    pub(super) fn store_frame_result(
        &mut self,
        frame: &Frame,
        value: Value,
    ) -> Option<StoredResult> {
        let step = self.runs.get(&frame.run)?.step;
        let tasks = from_json(&Json::Object(frame.outcome.tasks.clone()));
        self.store_result(step, StoredResult { value, tasks })
    }

    /// Returns the routes from a step: those that rules chose, else its edges that hold.
    fn exit_routes(&mut self, frame: &mut Frame, step: &Step) -> Result<Vec<Route>, Failure> {
        let chosen = std::mem::take(&mut frame.routes);
        let failed = frame.outcome.error.is_some();
        if !chosen.is_empty() {
            frame.failure_handled |= failed;
            return Ok(chosen);
        }
        let event_names: &[&str] = match (failed, step.for_each.is_some()) {
            (true, _) => &EDGE_ERROR,
            (false, true) => &EDGE_LOOP,
            (false, false) => &EDGE_DONE,
        };
        let mut routes = Vec::new();
        for edge in &step.next.edges {
            let holds = match &edge.when {
                // After a failure only edges with a condition count, whatever it names.
                None => !failed,
                Some(when) => self.holds_for_event(frame, when, event_names)?,
            };
            if holds {
                frame.failure_handled |= failed;
                let args = self.take_edge(frame, edge)?;
                let edge = edge.clone();
                routes.push(Route { edge, args });
                if !step.next.inclusive {
                    break;
                }
            }
        }
        Ok(routes)
    }
}
