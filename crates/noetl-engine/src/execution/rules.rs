//! From the outcome of a call to the end of its step: events, rules and their actions, in phases.

use minijinja::Value;
use serde_json::json;

use super::event_name::{
    CALL_DONE, CALL_ERROR, CALL_RETRIED, LOOP_DONE, SINK_EXECUTED, SINK_FAILED, STEP_EXIT,
};
use super::frame::{Frame, Phase, Purpose};
use super::state::Machine;
use crate::command::Outcome;
use crate::playbook::{Action, Case};
use crate::template::{from_json, into_value};
use noetl_api::{EventStatus, Failure};

/// Names that the event at the end of a call has for rules.
const CALL_DONE_NAMES: [&str; 1] = [CALL_DONE];
const CALL_ERROR_NAMES: [&str; 1] = [CALL_ERROR];
/// Names that the event at the end of a step has for rules.
const EXIT_DONE_NAMES: [&str; 2] = [STEP_EXIT, "step.done"];
const EXIT_ERROR_NAMES: [&str; 2] = [STEP_EXIT, "step.failed"];

impl Machine {
    /// Takes the outcome of a call or a sink.
    pub(super) fn call_returned(&mut self, mut frame: Frame, mut outcome: Outcome) {
        let result = std::mem::take(&mut outcome.result);
        let response = into_value(result);
        self.emit_outcome(&frame, &outcome, &response);
        if frame.purpose == Purpose::Claim {
            return self.rows_claimed(frame, outcome.error, &response);
        }
        if frame.purpose == Purpose::Sink {
            self.end_command(&mut frame, outcome.error.is_some());
            if let Some(failure) = outcome.error {
                frame.fail(failure);
                frame.phase = Phase::Leave;
            }
            frame.purpose = Purpose::Call;
            return self.advance(frame);
        }
        for (name, value) in &outcome.ctx {
            self.ctx.insert(name.clone(), from_json(value));
        }
        if let Some(variables) = self.iteration_variables(&frame) {
            variables.extend(
                outcome
                    .iter
                    .iter()
                    .map(|(name, value)| (name.clone(), from_json(value))),
            );
        }
        frame.response = response;
        frame.outcome = outcome;
        let event_names: &[&str] = if frame.outcome.error.is_some() {
            &CALL_ERROR_NAMES
        } else {
            &CALL_DONE_NAMES
        };
        self.apply_rules(frame, event_names, Phase::Exit);
    }

    fn emit_outcome(&mut self, frame: &Frame, outcome: &Outcome, response: &Value) {
        let step = self.step_of(frame.run).map(|step| step.name.clone());
        for attempt in &outcome.attempts {
            self.emit(CALL_RETRIED, EventStatus::Failed, |event| {
                event.step.clone_from(&step);
                event.command_id.clone_from(&frame.command_id);
                event.context = json!({ "attempt": attempt.number, "iteration": frame.iteration });
                event.result = from_json(&attempt.result);
                event.error.clone_from(&attempt.error);
                event.duration_ms = Some(attempt.duration_ms);
            });
        }
        let last = outcome
            .attempts
            .iter()
            .map(|attempt| attempt.number + 1)
            .max();
        let error = outcome.error.as_ref();
        let name = match (frame.purpose == Purpose::Sink, error.is_some()) {
            (false, false) => CALL_DONE,
            (false, true) => CALL_ERROR,
            (true, false) => SINK_EXECUTED,
            (true, true) => SINK_FAILED,
        };
        let status = if error.is_some() {
            EventStatus::Failed
        } else {
            EventStatus::Completed
        };
        self.emit(name, status, |event| {
            event.step = step;
            event.command_id.clone_from(&frame.command_id);
            event.context =
                json!({ "attempt": last.unwrap_or(frame.attempt), "iteration": frame.iteration });
            if !outcome.input.is_null() {
                event.context["input"] = outcome.input.clone();
            }
            event.result = match error {
                None => response.clone(),
                Some(failure) => failure
                    .result
                    .as_ref()
                    .map_or_else(Value::default, from_json),
            };
            event.error = error.cloned();
            event.duration_ms = Some(outcome.duration_ms);
        });
    }

    /// Applies the step's rules to an event, then goes on to `phase`.
    pub(super) fn apply_rules(
        &mut self,
        mut frame: Frame,
        event_names: &[&'static str],
        phase: Phase,
    ) {
        frame.phase = phase;
        let Some(step) = self.runs.get(&frame.run).map(|run| run.step) else {
            return;
        };
        let cases = &self.playbook.steps[step].cases;
        match self.matching_rule(&frame, cases, event_names) {
            Ok(None) => {}
            Ok(Some(rule)) => {
                frame.applied_rules.push(rule);
                frame.failure_handled |= frame.outcome.error.is_some();
                frame.actions.extend(cases[rule].then.iter().cloned());
            }
            Err(failure) => {
                frame.outcome = Outcome::failed(failure);
                frame.failure_handled = false;
                frame.phase = Phase::Leave;
            }
        }
        self.advance(frame);
    }

    /// Returns the index of the first rule that holds; none when it has been applied to this call before.
    fn matching_rule(
        &self,
        frame: &Frame,
        cases: &[Case],
        event_names: &[&str],
    ) -> Result<Option<usize>, Failure> {
        for (index, case) in cases.iter().enumerate() {
            let uses_event = case
                .when
                .as_ref()
                .is_some_and(|when| when.roots().any(|root| root == "event"));
            // Rules over results have been applied to each iteration; at the end of the loop only those
            // count that use the event.
            if event_names.contains(&LOOP_DONE) && !uses_event {
                continue;
            }
            let holds = match &case.when {
                None => true,
                Some(when) => self.holds_for_event(frame, when, event_names)?,
            };
            if holds {
                return Ok(Some(index).filter(|index| !frame.applied_rules.contains(index)));
            }
        }
        Ok(None)
    }

    /// Does the frame's actions and phases until it waits for a command or its step has ended.
    pub(super) fn advance(&mut self, mut frame: Frame) {
        loop {
            while let Some(action) = frame.actions.pop_front() {
                match self.run_action(frame, action) {
                    Some(next) => frame = next,
                    None => return,
                }
            }
            match frame.phase {
                Phase::Exit | Phase::Leave if frame.iteration.is_some() => {
                    return self.end_iteration(frame);
                }
                // Rules over the exit are not applied when a rule has chosen where to go.
                Phase::Exit if frame.routes.is_empty() => {
                    let failed = frame.outcome.error.is_some();
                    let event_names: &[&str] = if failed {
                        &EXIT_ERROR_NAMES
                    } else {
                        &EXIT_DONE_NAMES
                    };
                    let next = self.phase_after_exit(&frame);
                    return self.apply_rules(frame, event_names, next);
                }
                Phase::Exit => frame.phase = self.phase_after_exit(&frame),
                Phase::Sink => {
                    frame.phase = Phase::Leave;
                    let sink = self.step_of(frame.run).and_then(|step| step.sink.clone());
                    if let Some(sink) = sink {
                        frame.actions.push_back(Action::Sink(Box::new(sink)));
                    }
                }
                Phase::Call | Phase::Leave => return self.exit_step(frame),
            }
        }
    }

    /// Returns the phase after the rules over the exit: a step that succeeded saves its result first.
    pub(super) fn phase_after_exit(&self, frame: &Frame) -> Phase {
        let has_sink = self
            .step_of(frame.run)
            .is_some_and(|step| step.sink.is_some());
        if has_sink && frame.outcome.error.is_none() {
            Phase::Sink
        } else {
            Phase::Leave
        }
    }
}
