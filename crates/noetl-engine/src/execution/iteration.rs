//! The end of a loop's iteration.

use super::event_name::CALL_DONE;
use super::frame::{Frame, Work};
use super::state::Machine;
use crate::playbook::VariableScope;

impl Machine {
    /// Ends an iteration: keeps its result, and has the loop continued.
    pub(super) fn end_iteration(&mut self, mut frame: Frame) {
        let failed = frame.outcome.error.is_some();
        self.end_command(&mut frame, failed);
        let Some(index) = frame.iteration else { return };
        let unhandled = frame
            .outcome
            .error
            .clone()
            .filter(|_| !frame.failure_handled);
        let result = frame.take_result();
        let mut assignments = self
            .step_of(frame.run)
            .map(|step| step.set.clone())
            .unwrap_or_default();
        assignments.retain(|assignment| assignment.scope == VariableScope::Iter);
        let assigned = if unhandled.is_none() && !assignments.is_empty() {
            self.store_frame_result(&frame, result.clone());
            self.assign(&frame, &assignments, CALL_DONE)
        } else {
            Ok(())
        };
        let failure = unhandled.or(assigned.err());
        let Some(state) = self.loop_of(frame.run) else {
            return;
        };
        state.in_flight = state.in_flight.saturating_sub(1);
        state.results[index] = result;
        state.failed_count += usize::from(failure.is_some() || failed);
        for route in std::mem::take(&mut frame.routes) {
            if !state
                .routes
                .iter()
                .any(|known| known.edge.step == route.edge.step)
            {
                state.routes.push(route);
            }
        }
        if state.failure.is_none() {
            state.failure = failure;
        }
        self.queue.push_back(Work::ContinueLoop(frame.run));
    }
}
