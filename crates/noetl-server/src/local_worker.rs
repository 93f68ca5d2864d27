//! The server's own worker, which runs commands in the server's process.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use noetl_api::log::AttemptLog;
use noetl_engine::execution::{Command, Outcome};
use noetl_engine::{
    BoxFuture, Credential, Failure, Host, Place, Stream, SubPlaybook, ToolEnvironment,
};
use serde_json::Value as Json;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::credentials::Credentials;
use crate::executions::{Executions, Order, RunError};
use crate::store::{Holder, LEASE_MS, Store};
use crate::worker::{Claim, LentSlot, LogSink, Report, Slots, Source, Worker};

/// The worker and its orders.
#[derive(Debug)]
pub(crate) struct LocalWorker {
    worker: Arc<Worker<LocalSource>>,
    orders: Option<UnboundedReceiver<Order>>,
}

impl LocalWorker {
    pub(crate) fn new(source: LocalSource, slots: Slots, orders: UnboundedReceiver<Order>) -> Self {
        Self {
            worker: Worker::new(source, slots),
            orders: Some(orders),
        }
    }

    /// Starts the worker's tasks.
    pub(crate) fn begin(&mut self) {
        tokio::spawn(Arc::clone(&self.worker).run());
        let Some(mut orders) = self.orders.take() else {
            return;
        };
        let worker = Arc::clone(&self.worker);
        tokio::spawn(async move {
            while let Some(order) = orders.recv().await {
                match order {
                    Order::Run(claim) => worker.start(*claim),
                    Order::Stop(command_id) => {
                        worker.stop(&command_id);
                    }
                }
            }
        });
    }

    /// Stops the worker and gives back its commands, so that another server can claim them at once.
    pub(crate) async fn stop(&self) {
        self.worker.stop_all();
        let source = self.worker.source();
        if let Err(error) = source.executions.release(&source.worker_id).await {
            tracing::error!(%error, "cannot give back the commands that ran");
        }
    }
}

/// The server's own store and executions as a source of commands.
#[derive(Debug)]
pub(crate) struct LocalSource {
    pub(crate) worker_id: String,
    pub(crate) store: Store,
    pub(crate) executions: Arc<Executions>,
    pub(crate) credentials: Credentials,
    pub(crate) tools: ToolEnvironment,
}

impl Source for LocalSource {
    type Error = RunError;
    type Host = LocalHost;

    async fn claim(&self, slots: &Slots, held: &[String]) -> Result<Vec<Claim>, RunError> {
        let mut claims = Vec::new();
        let holder = Holder::server(&self.worker_id);
        for due in self.executions.due(slots.free()).await? {
            // Its own lease may have lapsed while the machine was suspended; the next heartbeat renews it.
            if held.contains(&due.command_id) {
                continue;
            }
            // A command that was issued meanwhile may have taken the slot.
            let Some(slot) = slots.try_take() else {
                return Ok(claims);
            };
            let command = self.executions.claim_due(&due, holder).await;
            claims.extend(command.map(|command| Claim {
                command,
                slot: Some(slot),
            }));
        }
        if claims.is_empty() {
            self.executions.wait_for_due().await;
        }
        Ok(claims)
    }

    async fn heartbeat(&self, held: Vec<String>) -> Result<Vec<String>, RunError> {
        let lease_until = self.store.clock().now() + LEASE_MS;
        Ok(self
            .store
            .renew(&self.worker_id, &held, lease_until)
            .await?)
    }

    async fn report(&self, command: &Command, outcome: &Outcome) -> Result<Report, RunError> {
        let Ok(execution_id) = command.execution_id.parse() else {
            return Ok(Report::TooLate);
        };
        let kept = self
            .executions
            .complete(execution_id, &command.id, &self.worker_id, outcome)
            .await;
        match kept {
            Ok(_) => Ok(Report::Kept),
            Err(
                RunError::Ended(_)
                | RunError::NoCommand(_)
                | RunError::Held(_)
                | RunError::NoExecution(_),
            ) => Ok(Report::TooLate),
            Err(RunError::Store(error)) if error.is_unstorable() => {
                Ok(Report::Refused(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    async fn log(&self, batches: &[AttemptLog]) -> Result<(), RunError> {
        // An execution that has been deleted meanwhile needs no lines.
        self.executions.append_logs(batches).await.map(drop)
    }

    fn host(&self, command: &Command, slot: LentSlot, log: LogSink) -> LocalHost {
        LocalHost {
            log,
            executions: Arc::clone(&self.executions),
            credentials: self.credentials.clone(),
            tools: self.tools.clone(),
            execution_id: command.execution_id.parse().unwrap_or_default(),
            slot,
        }
    }
}

/// Gives credentials and sub-playbooks to the tools of a command.
#[derive(Debug)]
pub(crate) struct LocalHost {
    executions: Arc<Executions>,
    credentials: Credentials,
    tools: ToolEnvironment,
    execution_id: i64,
    slot: LentSlot,
    log: LogSink,
}

impl Host for LocalHost {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(self.credentials.for_tool(name))
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(async move {
            let child = self
                .executions
                .start_child(self.execution_id, &call)
                .await?;
            let end = self.executions.wait_for_end(child);
            let status = self.slot.free_during(end).await?;
            let step = call.return_step.as_deref();
            self.executions.child_result(child, step, status).await
        })
    }

    fn environment_variable(&self, _name: &str) -> Option<String> {
        // The server's environment contains its own secrets, which playbooks of other users must not read.
        None
    }

    fn output_line(&self, _place: &Place, attempt: u32, stream: Stream, line: &str) {
        self.log.line(attempt, stream, line);
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        &self.tools
    }
}
