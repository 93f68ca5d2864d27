//! What a worker gives to the tools that run in it: the server's credentials and playbooks.

use std::sync::Arc;

use noetl_engine::{BoxFuture, Credential, Failure, Host, HostMachine, Place, Stream, SubPlaybook};
use serde_json::{Value, json};

use crate::client::{Client, encode};
use crate::config;

/// The host of one command.
pub(super) struct WorkerHost {
    pub(super) client: Arc<Client>,
    pub(super) execution_id: String,
    pub(super) machine: HostMachine,
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
                Err(error) => Err(Failure::passing(
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
            loop {
                let body = request.clone();
                let answer = self
                    .ask(move |client| client.post("/api/worker/playbook", &body))
                    .await;
                let mut answer = match answer {
                    Ok(answer) => answer,
                    Err(error) => return Err(Failure::passing("playbook", error.to_string())),
                };
                match answer["status"].as_str() {
                    Some("RUNNING") => {}
                    Some("COMPLETED") => return Ok(answer["result"].take()),
                    _ => {
                        return Err(
                            serde_json::from_value(answer["error"].take()).unwrap_or_else(|_| {
                                Failure::new("playbook", format!("`{}` failed", call.path))
                            }),
                        );
                    }
                }
            }
        })
    }

    fn environment(&self, name: &str) -> Option<String> {
        config::for_playbooks(name)
    }

    fn line(&self, place: &Place, stream: Stream, line: &str) {
        tracing::debug!(
            execution_id = self.execution_id,
            step = place.step,
            ?stream,
            line
        );
    }

    fn machine(&self) -> &HostMachine {
        &self.machine
    }
}
