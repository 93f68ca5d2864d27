//! The server's credentials and sub-playbooks, for the tools that run in a worker.

use std::sync::Arc;

use noetl_api::ExecutionStatus;
use noetl_api::worker::{SubPlaybookAnswer, SubPlaybookRequest};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Stream, SubPlaybook, ToolEnvironment,
};
use noetl_server::worker::{Backoff, LentSlot, LogSink};
use serde_json::Value;

use super::ask::{may_pass, on_thread, post};
use crate::client::Client;
use crate::commands::credential;
use crate::config;

/// The host of one command.
pub(super) struct WorkerHost {
    pub(super) client: Arc<Client>,
    pub(super) execution_id: String,
    pub(super) tools: ToolEnvironment,
    pub(super) slot: LentSlot,
    pub(super) log: LogSink,
}

impl WorkerHost {
    /// Calls a sub-playbook, and waits until it has ended.
    async fn call(&self, request: &SubPlaybookRequest) -> Result<Value, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let answer = post(&self.client, "/api/worker/playbook", request.clone()).await;
            let answer: SubPlaybookAnswer = match answer {
                Ok(answer) => answer,
                // The key makes the repeated request the same call.
                Err(error) if may_pass(&error) => {
                    backoff.wait().await;
                    continue;
                }
                Err(error) => return Err(Failure::new("playbook", error.to_string())),
            };
            backoff = Backoff::default();
            match answer.status {
                ExecutionStatus::Pending | ExecutionStatus::Running => {}
                ExecutionStatus::Completed => return Ok(answer.result),
                ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
                    return Err(answer.error.unwrap_or_else(|| {
                        Failure::new("playbook", format!("`{}` failed", request.path))
                    }));
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
            let requested = name.to_owned();
            on_thread(&self.client, move |client| {
                credential::request(client, &requested)
            })
            .await
            .map_err(|error| credential::unreadable(name, &error))
        })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let request = SubPlaybookRequest {
                execution_id: self.execution_id.clone().into(),
                path: call.path,
                version: call.version,
                payload: call.payload,
                return_step: call.return_step,
                caller: call.caller,
                key: call.key,
            };
            self.slot.free_during(self.call(&request)).await
        })
    }

    fn environment_variable(&self, name: &str) -> Option<String> {
        config::variable_for_playbooks(name)
    }

    fn output_line(&self, _place: &Place, attempt: u32, stream: Stream, line: &str) {
        self.log.line(attempt, stream, line);
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tools
    }
}
