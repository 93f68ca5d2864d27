//! Follows an execution event by event until it ends, and reconnects after a broken connection.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use noetl_api::ExecutionStatus;
use serde_json::Value;

use super::{print, request, view};
use crate::client::error::Error;
use crate::client::{Client, encode};
use crate::output::{self, Screen};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a server that does not answer is asked again.
const ATTEMPTS: u32 = 30;

/// Prints the events of an execution until it ends, then its status. Exit code 1 unless it completes.
pub(in crate::commands) fn run(client: &Client, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let answer = follow(client, id, |event| {
        if json {
            return Ok(());
        }
        output::text(&view::event(event, Screen::stdout()))
    })?;
    print::status(client, &answer, json)?;
    Ok(match request::status_of(&answer) {
        Some(ExecutionStatus::Completed) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Passes every event to `on_event`, from the first one on. Returns the status of the ended execution.
fn follow(
    client: &Client,
    id: &str,
    mut on_event: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<Value> {
    let mut last = "0".to_owned();
    let mut failures = 0;
    loop {
        let streamed = read_stream(client, id, &mut last, &mut on_event)?;
        // The stream only tells that the execution has ended; the status tells how.
        match streamed.and_then(|()| request::status(client, id)) {
            Ok(answer) if has_ended(&answer) => return Ok(answer),
            Ok(_) => failures = 0,
            Err(error) if error.status.is_some_and(|status| status < 500) => {
                return Err(request::unknown_execution(error, id));
            }
            Err(error) if failures == ATTEMPTS => return Err(error.into()),
            Err(error) => {
                if failures == 0 {
                    note!("warning: {error}; trying again");
                }
                failures += 1;
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Reads the stream until it ends or breaks, and sets `last` to the id of the last event. The outer error is
/// that of `on_event`.
fn read_stream(
    client: &Client,
    id: &str,
    last: &mut String,
    on_event: &mut impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<Result<(), Error>> {
    let messages = match client.stream(&format!("/api/executions/{}/stream", encode(id)), last) {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error)),
    };
    for message in messages {
        // A broken connection is no error yet: the next request shows whether the server answers.
        let Ok(message) = message else { break };
        if let Some(id) = message.id {
            *last = id;
        }
        match message.event.as_str() {
            "event" => on_event(&serde_json::from_str(&message.data).unwrap_or_default())?,
            "status" => break,
            _ => {}
        }
    }
    Ok(Ok(()))
}

fn has_ended(answer: &Value) -> bool {
    request::status_of(answer).is_some_and(ExecutionStatus::is_final)
}
