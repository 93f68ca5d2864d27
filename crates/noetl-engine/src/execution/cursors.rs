//! Loops over a cursor: statements that claim rows, until one returns none.
//!
//! A claim runs when all rows of the claim before it have been worked on, so that a failure leaves few rows claimed.

use serde_json::{Map, Value as Json};

use super::frame::{Frame, Purpose, Work};
use super::state::Machine;
use crate::command::Outcome;
use crate::playbook::Items;
use crate::template::{Scope, from_json};

/// The name under which a claim sees how many rows it may return.
const MAX_ROWS: &str = "__frame_max_rows";

impl Machine {
    /// Issues the statement that claims the next rows of a loop.
    pub(super) fn claim_rows(&mut self, run: u64) {
        let Some(step) = self.step_of(run) else {
            return;
        };
        let Some(Items::Cursor(cursor)) = step.for_each.as_ref().map(|each| &each.items) else {
            return;
        };
        let (task, max_rows) = (cursor.claim.clone(), cursor.max_rows);
        // Every claim counts as a run, so that a claim that always returns rows comes to an end.
        if self.new_run_id().is_none() {
            return;
        }
        let mut frame = Frame::new(run, None);
        frame.purpose = Purpose::Claim;
        let mut args = Map::new();
        args.insert(MAX_ROWS.to_owned(), max_rows.into());
        self.issue_command(frame, vec![task], args, Scope::new(), 0.0);
    }

    /// Takes the rows of a claim; without any the loop has all its items.
    pub(super) fn rows_claimed(&mut self, mut frame: Frame, mut outcome: Outcome) {
        self.end_command(&mut frame, outcome.error.is_some());
        let is_row = self.step_of(frame.run).is_some_and(|step| {
            let items = step.for_each.as_ref().map(|each| &each.items);
            matches!(items, Some(Items::Cursor(cursor)) if cursor.by_row)
        });
        let Some(state) = self
            .runs
            .get_mut(&frame.run)
            .and_then(|run| run.loop_state.as_mut())
        else {
            return;
        };
        let rows = match outcome.result.get_mut("rows").map(Json::take) {
            Some(Json::Array(rows)) => rows,
            _ => Vec::new(),
        };
        state.is_complete = rows.is_empty();
        if let Some(failure) = outcome.error {
            state.failure = Some(failure);
        } else if is_row {
            state.add_items(rows.iter().map(from_json));
        } else if !rows.is_empty() {
            state.add_items([from_json(&Json::Array(rows))]);
        }
        self.queue.push_back(Work::ContinueLoop(frame.run));
    }
}
