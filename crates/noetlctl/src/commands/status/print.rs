//! Prints the status of an execution, with the place of its error.

use noetl_api::execution::{EventPageQuery, ExecutionDetail, ExecutionState};
use noetl_api::{ExecutionStatus, Failure};

use super::view;
use crate::client::{Client, encode};
use crate::output::{self, Screen};

/// Prints a status as JSON or as text.
pub(super) fn status(client: &Client, state: &ExecutionState, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(state);
    }
    // The status has only the text of the error; the event that reported the error has its place.
    let failure = (state.status == ExecutionStatus::Failed)
        .then(|| newest_failure(client, &state.execution_id))
        .flatten();
    output::text(&view::status(state, failure.as_ref(), Screen::stdout()))
}

/// Returns the newest failure of an execution that has a place, or `None` when it cannot be read.
pub(super) fn newest_failure(client: &Client, execution_id: &str) -> Option<Failure> {
    let query = EventPageQuery {
        page: Some(1),
        page_size: Some(100),
        ..EventPageQuery::default()
    };
    let path = format!("/api/executions/{}", encode(execution_id));
    let page: ExecutionDetail = client.get(&path, &query).ok()?;
    let mut failures = page.events.into_iter().filter_map(|event| event.error);
    failures.find(|failure| failure.place.is_some())
}
