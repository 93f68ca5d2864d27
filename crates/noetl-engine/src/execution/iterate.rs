//! Loops: as many iterations at once as may run, and what becomes of their results.

use noetl_api::EventStatus;
use serde_json::{Value as Json, json};

use super::Outcome;
use super::event_name::{CALL_DONE, LOOP_DONE, LOOP_ITEM, STEP_EXIT};
use super::frame::{Frame, Phase, Work};
use super::state::Machine;
use crate::playbook::Scope as Variables;
use crate::template::{from_json, to_json};

/// Names of the event at the end of a loop.
const EXIT_LOOP: [&str; 3] = [LOOP_DONE, STEP_EXIT, "step.done"];
const EXIT_ERROR: [&str; 3] = [LOOP_DONE, STEP_EXIT, "step.failed"];

impl Machine {
    /// Starts as many iterations as may run, or ends the loop.
    pub(super) fn iterate(&mut self, run: u64) {
        loop {
            let Some(token) = self.runs.get_mut(&run) else {
                return;
            };
            let step = &self.playbook.steps[token.step];
            let Some(repeat) = &mut token.repeat else {
                return;
            };
            let more = repeat.next < repeat.items.len() && repeat.failure.is_none();
            if !more && repeat.in_flight == 0 {
                return self.loop_done(run);
            }
            if !more || repeat.in_flight >= repeat.limit {
                return;
            }
            let index = repeat.next;
            repeat.next += 1;
            repeat.in_flight += 1;
            let (name, item) = (step.name.clone(), to_json(&repeat.items[index]));
            self.emit(LOOP_ITEM, EventStatus::Running, |event| {
                event.step = Some(name);
                event.context = json!({ "index": index, "item": item });
            });
            self.issue(Frame::new(run, Some(index)), 0.0);
        }
    }

    /// An iteration has ended; the loop goes on with the next, or as a failure.
    pub(super) fn iteration_done(&mut self, mut frame: Frame) {
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
            if !repeat
                .ways
                .iter()
                .any(|known| known.way.step == way.way.step)
            {
                repeat.ways.push(way);
            }
        }
        if repeat.failure.is_none() {
            repeat.failure = failed;
        }
        self.ready.push_back(Work::Iterate(frame.run));
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
                EventStatus::Failed
            } else {
                EventStatus::Completed
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
}
