//! Server-sent events: changes of executions as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Sse};
use axum::routing::get;
use futures_util::stream::{once, unfold};
use futures_util::{Stream, StreamExt as _};
use noetl_api::execution::ExecutionEnd;
use noetl_api::log::{LogMessage, StreamQuery};
use tokio::sync::broadcast::error::RecvError;

use super::extract::{Path, Query, parse_id};
use super::logs;
use super::rows::{self, find_execution};
use super::state::AppState;
use crate::changes::{ChangeKind, Watch};
use crate::error::ApiError;
use crate::store::{LogFilter, LogPosition};

/// How long to wait for a change before reading the store, since another server may have made one.
const READ_INTERVAL: Duration = Duration::from_secs(2);
/// The same where lines are wanted, which another server may have.
const LINES_INTERVAL: Duration = Duration::from_millis(500);
/// How many events are read at a time.
const PAGE: i64 = 200;
/// How many lines are read at a time.
const LINES: usize = 500;

/// The routes of streams.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/executions/stream", get(executions))
        .route("/api/executions/{execution_id}/stream", get(execution))
}

/// A client that follows an execution.
struct Follower {
    server: AppState,
    execution_id: i64,
    /// The last event that was sent.
    after: i64,
    /// The last line that was sent, when lines are wanted.
    logs_after: Option<LogPosition>,
    watch: Watch,
    messages: VecDeque<Event>,
    ended: bool,
}

/// Follow the events of an execution until it ends
///
/// Server-sent events: `begin`, then `event` for each event of the log, `log` for lines when they are wanted, and at the end
/// `status`.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/stream", tag = "executions",
    params(("execution_id" = String, Path), StreamQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), ApiError)))]
pub(crate) async fn execution(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let id = parse_id(&execution_id, "execution")?;
    // Before the first read, so that no change is missed.
    let watch = server.executions.changes().watch(id);
    find_execution(&server.store, &execution_id).await?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let after = last
        .or(query.after)
        .map(|text| parse_id(&text, "event"))
        .transpose()?
        .unwrap_or(0);
    let logs_after = match query.logs {
        Some(true) => Some(logs::position(query.logs_after.as_deref())?),
        _ => None,
    };
    let follower = Follower {
        server,
        execution_id: id,
        after,
        logs_after,
        watch,
        messages: VecDeque::new(),
        ended: false,
    };
    let stream = unfold(follower, |mut follower| async move {
        loop {
            if let Some(message) = follower.messages.pop_front() {
                return Some((Ok(message), follower));
            }
            if follower.ended || follower.read().await.is_err() {
                return None;
            }
            if follower.messages.is_empty() && !follower.ended {
                follower.ended = !follower.wait().await;
            }
        }
    });
    Ok(pushed(stream))
}

/// How often a stream without news sends a message: proxies close a connection that is silent for a minute.
const SIGN: Duration = Duration::from_secs(15);

/// Returns the answer of a stream. It begins with the message `begin`, by which a page knows that nothing on the way keeps
/// messages back, and nginx is told not to.
fn pushed(
    stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> impl IntoResponse {
    let open = once(ready(Ok(Event::default().event("begin").data("{}"))));
    let stream = Sse::new(open.chain(stream)).keep_alive(KeepAlive::new().interval(SIGN));
    ([("x-accel-buffering", "no")], stream)
}

impl Follower {
    /// Waits for what the follower wants. Returns false when the server stops.
    async fn wait(&mut self) -> bool {
        match self.logs_after {
            Some(_) => self.watch.wait(LINES_INTERVAL).await,
            None => self.watch.wait_for_events(READ_INTERVAL).await,
        }
    }

    /// Reads the next lines, when lines are wanted. Returns whether there were any.
    async fn read_lines(&mut self) -> Result<bool, ApiError> {
        let Some(after) = self.logs_after else {
            return Ok(false);
        };
        let filter = LogFilter::default();
        let (lines, after, _) = self
            .server
            .store
            .log_lines(self.execution_id, &filter, after, LINES)
            .await?;
        self.logs_after = Some(after);
        let has_lines = !lines.is_empty();
        if has_lines {
            let after = after.to_string();
            let message = Event::default().event("log");
            self.messages
                .extend(message.json_data(LogMessage { lines, after }));
        }
        Ok(has_lines)
    }

    /// Reads the next events of the log or, after the last one, the end of the execution.
    async fn read(&mut self) -> Result<(), ApiError> {
        // The status is read first, so that the events that led to it are in the log.
        let store = &self.server.store;
        let row = find_execution(store, &self.execution_id.to_string()).await?;
        let has_lines = self.read_lines().await?;
        let store = &self.server.store;
        let events = store
            .events_after(self.execution_id, self.after, PAGE)
            .await?;
        self.after = events.last().map_or(self.after, |event| event.event_id);
        for event in rows::events(&events)? {
            let message = Event::default().event("event").id(&event.event_id);
            self.messages.extend(message.json_data(&event));
        }
        if row.status.is_final() && events.is_empty() && !has_lines {
            self.ended = true;
            let end = ExecutionEnd {
                execution_id: row.execution_id.to_string(),
                status: row.status,
            };
            let message = Event::default().event("status");
            self.messages.extend(message.json_data(end));
        }
        Ok(())
    }
}

/// Follow the executions that start and end
///
/// Server-sent events: `begin`, then `execution` for each one whose status has changed.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/stream", tag = "executions",
    responses((status = 200, body = String, content_type = "text/event-stream"), ApiError)))]
pub(crate) async fn executions(State(server): State<AppState>) -> impl IntoResponse {
    let changes = server.executions.changes().subscribe();
    let stream = unfold((server, changes), |(server, mut changes)| async move {
        loop {
            let change = match changes.recv().await {
                Ok(change) if change.kind == ChangeKind::Status => change,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return None,
            };
            let Ok(Some(row)) = server.store.execution(change.execution_id).await else {
                continue;
            };
            let message = Event::default().event("execution");
            if let Ok(message) = message.json_data(rows::execution(&row)) {
                return Some((Ok(message), (server, changes)));
            }
        }
    });
    pushed(stream)
}
