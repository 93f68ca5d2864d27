//! Server-sent events: what happens, while it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use noetl_api::event::EventsAfterQuery;
use noetl_api::execution::ExecutionEnd;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::error::{ApiError, Path, Query, id};
use super::executions::row;
use super::items;
use super::state::AppState;
use crate::runs::Change;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

/// Streams; they are not in the OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .route("/api/executions/stream", get(executions))
        .route("/api/executions/{execution_id}/stream", get(execution))
}

/// How long to wait before looking at the store without having heard of a change: another server may have
/// made one.
const LOOK: Duration = Duration::from_secs(2);
/// Events in one look.
const PAGE: i64 = 200;

type Messages = std::collections::VecDeque<Event>;

struct Following {
    server: AppState,
    execution_id: i64,
    after: i64,
    changes: Receiver<Change>,
    messages: Messages,
    ended: bool,
}

/// Follow the events of an execution until it ends
pub(crate) async fn execution(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
    Query(query): Query<EventsAfterQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let changes = server.runs.subscribe();
    let row = row(&server.runs, &execution_id).await?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let after = last
        .or(query.after)
        .map(|text| id(&text, "event"))
        .transpose()?
        .unwrap_or(0);
    let following = Following {
        server,
        execution_id: row.execution_id,
        after,
        changes,
        messages: Messages::new(),
        ended: false,
    };
    let stream = unfold(following, |mut following| async move {
        loop {
            if let Some(message) = following.messages.pop_front() {
                return Some((Ok(message), following));
            }
            if following.ended {
                return None;
            }
            if following.look().await.is_err() {
                return None;
            }
            if following.messages.is_empty() && !following.ended {
                following.wait().await;
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

impl Following {
    async fn look(&mut self) -> Result<(), ApiError> {
        // The status first: what it says has its events in the log already.
        let row = row(&self.server.runs, &self.execution_id.to_string()).await?;
        let events = self
            .server
            .runs
            .store
            .events_after(self.execution_id, self.after, PAGE)
            .await?;
        for event in &events {
            self.after = event.event_id;
            let item = items::event(event);
            if let Ok(message) = Event::default()
                .event("event")
                .id(&item.event_id)
                .json_data(&item)
            {
                self.messages.push_back(message);
            }
        }
        if row.status.is_final() && events.is_empty() {
            self.ended = true;
            let end = ExecutionEnd {
                execution_id: row.execution_id.to_string(),
                status: row.status,
            };
            if let Ok(message) = Event::default().event("status").json_data(end) {
                self.messages.push_back(message);
            }
        }
        Ok(())
    }

    async fn wait(&mut self) {
        let deadline = tokio::time::sleep(LOOK);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                () = &mut deadline => return,
                change = self.changes.recv() => match change {
                    Ok(change) if change.execution_id == self.execution_id => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => {
                        self.ended = true;
                        return;
                    }
                },
            }
        }
    }
}

/// Follow the executions that start and end
pub(crate) async fn executions(
    State(server): State<AppState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = server.runs.subscribe();
    let stream = unfold((server, changes), |(server, mut changes)| async move {
        loop {
            let change = match changes.recv().await {
                Ok(change) if change.turned => change,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return None,
            };
            let Ok(Some(row)) = server.runs.store.execution(change.execution_id).await else {
                continue;
            };
            if let Ok(message) = Event::default()
                .event("execution")
                .json_data(items::execution(&row))
            {
                return Some((Ok(message), (server, changes)));
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
