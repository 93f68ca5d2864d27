//! Follows an execution event by event until it ends, and reconnects after a broken connection.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use noetl_api::event::ExecutionEvent;
use noetl_api::execution::ExecutionState;
use noetl_api::log::{LogLine, LogMessage, StreamQuery};
use noetl_api::{ExecutionStatus, Failure};

use super::{print, request, view};
use crate::client::error::Error;
use crate::client::{Client, encode};
use crate::commands::run::local::{RESULT_LENGTH, note_failure};
use crate::commands::run::progress::{Progress, one_line};
use crate::output::{self, Screen};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a server that does not answer is asked again.
const ATTEMPTS: u32 = 30;

/// How an execution is shown while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum View {
    /// Its steps, and at the end its result or error, as `noetl run` shows a run in its own process.
    Steps,
    /// Every event, and at the end its status.
    Events,
    /// Its status as JSON, when it has ended.
    Json,
}

impl View {
    pub(in crate::commands) fn new(json: bool, verbose: bool) -> Self {
        match (json, verbose) {
            (true, _) => Self::Json,
            (false, true) => Self::Events,
            (false, false) => Self::Steps,
        }
    }
}

/// Shows an execution until it ends. Exit code 1 unless it completes.
pub(in crate::commands) fn run(client: &Client, id: &str, shown: View) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new(shown != View::Steps, false);
    let state = follow(client, id, shown == View::Steps, |news| {
        match (news, shown) {
            (News::Event(event), View::Steps) => progress.event(&*event),
            (News::Event(event), View::Events) => {
                output::text(&view::event(&event, Screen::stdout()))?;
            }
            (News::Line(line), View::Steps) => progress.remote_line(&line),
            _ => {}
        }
        Ok(())
    })?;
    match shown {
        View::Steps => print_end(client, &state, &progress),
        View::Events => print::status(client, &state, false)?,
        View::Json => print::status(client, &state, true)?,
    }
    Ok(match state.status {
        ExecutionStatus::Completed => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Prints how an execution ended, with its result or error.
fn print_end(client: &Client, state: &ExecutionState, progress: &Progress) {
    let elapsed = Duration::try_from_secs_f64(state.duration_seconds).unwrap_or_default();
    progress.ended(state.status, elapsed);
    match state.status {
        ExecutionStatus::Failed => match print::newest_failure(client, &state.execution_id) {
            Some(failure) => note_failure(&failure),
            None => note_failure(&Failure::new(
                "execution",
                state.error.clone().unwrap_or_default(),
            )),
        },
        _ if state.result.is_null() => {}
        _ => note!("result: {}", one_line(&state.result, RESULT_LENGTH)),
    }
}

/// What a stream tells.
enum News {
    Event(Box<ExecutionEvent>),
    Line(LogLine),
}

/// Passes every event to `on_news`, from the first one on, and with `lines` every line that a step prints. Returns the status
/// of the ended execution.
fn follow(
    client: &Client,
    id: &str,
    lines: bool,
    mut on_news: impl FnMut(News) -> anyhow::Result<()>,
) -> anyhow::Result<ExecutionState> {
    let mut last = StreamQuery {
        after: Some("0".to_owned()),
        logs: lines.then_some(true),
        logs_after: None,
    };
    let mut failures = 0;
    loop {
        let streamed = read_stream(client, id, &mut last, &mut on_news)?;
        // The stream only tells that the execution has ended; the status tells how.
        match streamed.and_then(|()| request::status(client, id)) {
            Ok(state) if state.status.is_final() => return Ok(state),
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

/// Reads the stream until it ends or breaks, and sets `last` to what was read last. The outer error is that of `on_news`.
fn read_stream(
    client: &Client,
    id: &str,
    last: &mut StreamQuery,
    on_news: &mut impl FnMut(News) -> anyhow::Result<()>,
) -> anyhow::Result<Result<(), Error>> {
    let path = format!("/api/executions/{}/stream", encode(id));
    let messages = match client.stream(&path, last) {
        Ok(messages) => messages,
        Err(error) => return Ok(Err(error)),
    };
    for message in messages {
        // A broken connection is no error yet: the next request shows whether the server answers.
        let Ok(message) = message else { break };
        if let Some(id) = message.id {
            last.after = Some(id);
        }
        match message.event.as_str() {
            "event" => match serde_json::from_str(&message.data) {
                Ok(event) => on_news(News::Event(event))?,
                // The events of a newer server may have a status that this version does not know.
                Err(error) => {
                    let event = last.after.as_deref().unwrap_or_default();
                    note!("warning: cannot read event {event}: {error}");
                }
            },
            "log" => {
                if let Ok(message) = serde_json::from_str::<LogMessage>(&message.data) {
                    last.logs_after = Some(message.after);
                    let mut lines = message.lines.into_iter();
                    lines.try_for_each(|line| on_news(News::Line(line)))?;
                }
            }
            "status" => break,
            _ => {}
        }
    }
    Ok(Ok(()))
}
