//! Requests of a worker to its server, on threads that may block.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::client::error::Error;

/// Sends a POST and returns the answer.
pub(super) async fn post<T: DeserializeOwned + Send + 'static>(
    client: &Arc<Client>,
    path: &'static str,
    body: impl Serialize + Send + 'static,
) -> Result<T, Error> {
    on_thread(client, move |client| client.post(path, &body)).await
}

/// Runs a request on a thread that may block.
pub(super) async fn on_thread<T: Send + 'static>(
    client: &Arc<Client>,
    request: impl FnOnce(&Client) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let client = Arc::clone(client);
    tokio::task::spawn_blocking(move || request(&client))
        .await
        .unwrap_or_else(|cause| Err(Error::interrupted(cause)))
}

/// Whether the same request may succeed later, because the server restarts or is busy.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error.status, None | Some(429 | 502..=504))
}
