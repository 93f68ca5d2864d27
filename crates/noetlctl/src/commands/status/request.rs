//! Requests the status of an execution, and explains the error for an execution that does not exist.

use noetl_api::execution::ExecutionState;

use crate::client::error::Error;
use crate::client::{Client, encode};

/// Requests the status of an execution.
pub(super) fn status(client: &Client, id: &str) -> Result<ExecutionState, Error> {
    client.get(&format!("/api/executions/{}/status", encode(id)), &())
}

/// Adds the id and help to the error for an execution that the server does not have.
pub(in crate::commands) fn unknown_execution(error: Error, id: &str) -> anyhow::Error {
    if error.status != Some(404) {
        return error.into();
    }
    let error = error.help_if_not_found("`noetl list Execution` lists the newest executions");
    anyhow::Error::from(error).context(format!("no such execution: {id}"))
}
