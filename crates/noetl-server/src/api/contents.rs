//! Large values, which answers name instead of including them: each is sent in chunks as the client reads it.

use std::collections::VecDeque;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::unfold;
use noetl_api::ExecutionStatus;

use super::extract::Path;
use super::rows::find_execution;
use super::state::AppState;
use crate::error::ApiError;
use crate::store::{Column, PLACEHOLDER, Store, StoreError, references};

/// The routes of large values.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/executions/{execution_id}/result", get(result))
        .route(
            "/api/executions/{execution_id}/contents/{hash}",
            get(content),
        )
}

/// A part of a JSON text.
enum Piece {
    Text(String),
    Content {
        hash: String,
        chunk: i64,
        chunks: i64,
    },
}

/// A JSON text that is sent in pieces.
struct Pieces {
    store: Store,
    execution_id: i64,
    pieces: VecDeque<Piece>,
    bytes: i64,
}

impl Pieces {
    fn new(store: &Store, execution_id: i64) -> Self {
        Self {
            store: store.clone(),
            execution_id,
            pieces: VecDeque::new(),
            bytes: 0,
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes += i64::try_from(text.len()).unwrap_or(i64::MAX);
        self.pieces.push_back(Piece::Text(text.to_owned()));
    }

    /// Adds a content. Returns false when there is none of this hash.
    async fn content(&mut self, hash: &str) -> Result<bool, StoreError> {
        let size = self.store.content_size(self.execution_id, hash).await?;
        let Some((chunks, bytes)) = size else {
            return Ok(false);
        };
        self.bytes += bytes;
        self.pieces.push_back(Piece::Content {
            hash: hash.to_owned(),
            chunk: 0,
            chunks,
        });
        Ok(true)
    }

    /// Reads the next part of the text.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let text = match self.pieces.front_mut() {
            None => return Ok(None),
            Some(Piece::Text(text)) => std::mem::take(text),
            Some(Piece::Content {
                hash,
                chunk,
                chunks,
            }) => {
                let text = self.store.content_chunk(self.execution_id, hash, *chunk);
                let text = text.await?;
                *chunk += 1;
                if chunk < chunks {
                    return Ok(Some(text.into()));
                }
                text
            }
        };
        self.pieces.pop_front();
        Ok(Some(text.into()))
    }
}

impl IntoResponse for Pieces {
    fn into_response(self) -> Response {
        // A client notices by the length when the store fails half-way.
        let headers = [
            (CONTENT_TYPE, "application/json".to_owned()),
            (CONTENT_LENGTH, self.bytes.to_string()),
        ];
        let chunks = unfold(self, |mut pieces| async move {
            match pieces.next().await {
                Ok(chunk) => chunk.map(|chunk| (Ok(chunk), pieces)),
                Err(error) => {
                    tracing::warn!(%error, "a large value cannot be read to its end");
                    pieces.pieces.clear();
                    Some((Err(error), pieces))
                }
            }
        });
        (headers, Body::from_stream(chunks)).into_response()
    }
}

/// Get the whole result of a completed execution, however large it is
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/result", tag = "executions", params(("execution_id" = String, Path)),
    responses((status = 200, body = serde_json::Value), ApiError)))]
pub(crate) async fn result(
    State(server): State<AppState>,
    Path(execution_id): Path<String>,
) -> Result<Response, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    if row.status != ExecutionStatus::Completed {
        let detail = format!(
            "execution {execution_id} has no result: it is {}",
            row.status
        );
        let help = format!("`noetl status {execution_id}` shows where it stands");
        return Err(ApiError::new(StatusCode::CONFLICT, detail).help(help));
    }
    let event = server.store.result_event(row.execution_id, None).await?;
    let text = event.as_ref().and_then(|event| event.text(Column::Result));
    let text = text.unwrap_or(PLACEHOLDER);
    let contents = event.as_ref().and_then(|event| event.contents.as_deref());
    let mut pieces = Pieces::new(&server.store, row.execution_id);
    let mut rest = 0;
    for reference in references(contents, Column::Result, text)? {
        pieces.text(&text[rest..reference.offset]);
        if !pieces.content(&reference.hash).await? {
            return Err(StoreError::missing(row.execution_id, &reference.hash).into());
        }
        rest = reference.offset + PLACEHOLDER.len();
    }
    pieces.text(&text[rest..]);
    Ok(pieces.into_response())
}

/// Get a large value of an execution
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/api/executions/{execution_id}/contents/{hash}", tag = "executions",
    params(("execution_id" = String, Path), ("hash" = String, Path)),
    responses((status = 200, body = serde_json::Value), ApiError)))]
pub(crate) async fn content(
    State(server): State<AppState>,
    Path((execution_id, hash)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let row = find_execution(&server.store, &execution_id).await?;
    let mut pieces = Pieces::new(&server.store, row.execution_id);
    if !pieces.content(&hash).await? {
        return Err(ApiError::not_found(format!(
            "execution {execution_id} has no content {hash}"
        )));
    }
    Ok(pieces.into_response())
}
