//! Loops over a cursor: statements that claim rows, until one returns none.
//!
//! A claim runs when all rows of the claim before it have been worked on, so that a failure leaves few rows claimed.

use minijinja::Value;
use serde_json::Map;

use super::frame::{Frame, Purpose, Work};
use super::state::Machine;
use crate::playbook::Items;
use crate::template::Scope;
use noetl_api::Failure;

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
        self.issue_command(frame, [task].into(), args, Scope::new(), 0.0);
    }

    /// Takes the rows of a claim; without any the loop has all its items.
    pub(super) fn rows_claimed(
        &mut self,
        mut frame: Frame,
        failure: Option<Failure>,
        response: &Value,
    ) {
        self.end_command(&mut frame, failure.is_some());
        let is_row = self.step_of(frame.run).is_some_and(|step| {
            let items = step.for_each.as_ref().map(|each| &each.items);
            matches!(items, Some(Items::Cursor(cursor)) if cursor.by_row)
        });
        let Some(state) = self.loop_of(frame.run) else {
            return;
        };
        let rows = response.get_attr("rows").unwrap_or_default();
        let is_empty = rows.len().is_none_or(|count| count == 0);
        state.is_complete = is_empty;
        if failure.is_some() {
            state.failure = failure;
        } else if is_row && !is_empty {
            state.add_items(rows.try_iter().into_iter().flatten());
        } else if !is_empty {
            state.add_items([rows]);
        }
        self.queue.push_back(Work::ContinueLoop(frame.run));
    }
}
