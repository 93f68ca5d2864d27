//! What a worker gives to the tools that run in it: the server's credentials and playbooks.

use std::sync::Arc;

use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Stream, SubPlaybook, ToolEnvironment,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::start::{FIRST_PAUSE, MAX_PAUSE};
use crate::client::{Client, encode};
use crate::config;

/// The host of one command.
pub(super) struct WorkerHost {
    pub(super) client: Arc<Client>,
    pub(super) execution_id: String,
    pub(super) machine: ToolEnvironment,
    pub(super) slots: Arc<Semaphore>,
    /// Given back while a sub-playbook runs, so that callers never starve those whom they call.
    pub(super) slot: Mutex<Option<OwnedSemaphorePermit>>,
}

impl WorkerHost {
    async fn ask(
        &self,
        ask: impl FnOnce(&Client) -> Result<Value, crate::client::error::Error> + Send + 'static,
    ) -> Result<Value, crate::client::error::Error> {
        let client = Arc::clone(&self.client);
        tokio::task::spawn_blocking(move || ask(&client))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Asks until a sub-playbook has ended.
    async fn called(&self, path: &str, request: Value) -> Result<Value, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let body = request.clone();
            let answer = self
                .ask(move |client| client.post("/api/worker/playbook", &body))
                .await;
            let mut answer = match answer {
                Ok(answer) => answer,
                // The server restarts or is busy, and the call is the same one when it is back.
                Err(error) if matches!(error.status, None | Some(429 | 502..=504)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                    continue;
                }
                Err(error) => return Err(Failure::new("playbook", error.to_string())),
            };
            pause = FIRST_PAUSE;
            match answer["status"].as_str() {
                Some("RUNNING") => {}
                Some("COMPLETED") => return Ok(answer["result"].take()),
                _ => {
                    return Err(serde_json::from_value(answer["error"].take())
                        .unwrap_or_else(|_| Failure::new("playbook", format!("`{path}` failed"))));
                }
            }
        }
    }
}

impl Host for WorkerHost {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async move {
            let path = format!("/api/credentials/{}", encode(name));
            match self
                .ask(move |client| client.get(&path, &[("include_data", "true")]))
                .await
            {
                Ok(value) => serde_json::from_value(value)
                    .map(Some)
                    .map_err(|error| Failure::new("auth", error.to_string())),
                Err(error) if error.status == Some(404) => Ok(None),
                Err(error) => Err(Failure::retryable(
                    "auth",
                    format!("credential `{name}` cannot be read: {error}"),
                )),
            }
        })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let request = json!({
                "execution_id": self.execution_id, "path": call.path, "version": call.version, "payload": call.payload,
                "return_step": call.return_step, "caller": call.caller, "key": call.key,
            });
            drop(self.slot.lock().await.take());
            let answer = self.called(&call.path, request).await;
            *self.slot.lock().await = Arc::clone(&self.slots).acquire_owned().await.ok();
            answer
        })
    }

    fn environment_variable(&self, name: &str) -> Option<String> {
        config::variable_for_playbooks(name)
    }

    fn output_line(&self, place: &Place, stream: Stream, line: &str) {
        tracing::debug!(
            execution_id = self.execution_id,
            step = place.step,
            ?stream,
            line
        );
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.machine
    }
}
