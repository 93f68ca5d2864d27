//! Prints the status of an execution, with the place of its error.

use noetl_api::ExecutionStatus;
use serde_json::Value;

use super::{request, view};
use crate::client::{Client, encode};
use crate::output::{self, Screen};

/// Prints a status as JSON or as text.
pub(super) fn status(client: &Client, answer: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(answer);
    }
    // The status has only the text of the error; the event that reported the error has its place.
    let failure = (request::status_of(answer) == Some(ExecutionStatus::Failed))
        .then(|| newest_error(client, answer))
        .flatten();
    output::text(&view::status(answer, failure.as_ref(), Screen::stdout()))
}

/// Returns the newest error of an execution that has a place, or `None` when it cannot be read.
fn newest_error(client: &Client, answer: &Value) -> Option<Value> {
    let id = answer["execution_id"].as_str()?;
    let page = client
        .get(
            &format!("/api/executions/{}", encode(id)),
            &[("page", "1"), ("page_size", "100")],
        )
        .ok()?;
    let errors = page["events"]
        .as_array()?
        .iter()
        .map(|event| &event["error"]);
    errors
        .into_iter()
        .find(|error| error["place"].is_object())
        .cloned()
}
