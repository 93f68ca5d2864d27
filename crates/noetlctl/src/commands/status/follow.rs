//! Follows an execution event by event, through broken connections, until it has ended.

use std::thread;
use std::time::Duration;

use noetl_api::ExecutionStatus;
use serde_json::Value;

use super::{ask, status, unknown};
use crate::client::error::Error;
use crate::client::{Client, encode};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a server that is away is asked again.
const ATTEMPTS: u32 = 30;

/// Hands every event to `each`, from the first one on, and returns the status at the end.
pub(super) fn to_end(
    client: &Client,
    id: &str,
    mut each: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<Value> {
    let mut last = "0".to_owned();
    let mut away = 0;
    loop {
        let streamed = stream(client, id, &mut last, &mut each)?;
        // Asked even after the stream said so: the answer holds more than the stream's last word.
        match streamed.and_then(|()| ask(client, id)) {
            Ok(answer) if has_ended(&answer) => return Ok(answer),
            Ok(_) => away = 0,
            Err(error) if error.status.is_some_and(|status| status < 500) => {
                return Err(unknown(error, id));
            }
            Err(error) if away == ATTEMPTS => return Err(error.into()),
            Err(error) => {
                if away == 0 {
                    note!("warning: {error}; trying again");
                }
                away += 1;
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Reads the stream until it ends or breaks. The outer error is that of `each`.
fn stream(
    client: &Client,
    id: &str,
    last: &mut String,
    each: &mut impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<Result<(), Error>> {
    let messages = match client.stream(&format!("/api/executions/{}/stream", encode(id)), last) {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error)),
    };
    for message in messages {
        // A broken connection is no news: whether the server is away, the next request shows.
        let Ok(message) = message else { break };
        if let Some(id) = message.id {
            *last = id;
        }
        match message.event.as_str() {
            "event" => each(&serde_json::from_str(&message.data).unwrap_or_default())?,
            "status" => break,
            _ => {}
        }
    }
    Ok(Ok(()))
}

fn has_ended(answer: &Value) -> bool {
    status(answer).is_some_and(ExecutionStatus::is_final)
}
