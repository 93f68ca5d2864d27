//! Typed requests of a worker to its server, on threads that may block.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::client::error::Error;

/// The answer to a POST.
pub(super) async fn post<T: DeserializeOwned>(
    client: &Arc<Client>,
    path: &'static str,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    let body = serde_json::to_value(body)?;
    let client = Arc::clone(client);
    let answer = tokio::task::spawn_blocking(move || client.post(path, &body)).await?;
    Ok(serde_json::from_value(answer?)?)
}

/// The answer to a GET.
pub(super) async fn get<T: DeserializeOwned>(
    client: &Arc<Client>,
    path: String,
    query: &'static [(&'static str, &'static str)],
) -> anyhow::Result<T> {
    let client = Arc::clone(client);
    let answer = tokio::task::spawn_blocking(move || client.get(&path, query)).await?;
    Ok(serde_json::from_value(answer?)?)
}

/// The HTTP status of a refusal.
pub(super) fn status(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Error>()?.status
}

/// Whether the same request may succeed later, because the server restarts or is busy.
pub(super) fn may_pass(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<Error>();
    refusal.is_some_and(|error| matches!(error.status, None | Some(429 | 502..=504)))
}
