//! A server as the source of a worker's commands.

use std::sync::Arc;

use noetl_api::event::{EventAnswer, EventRequest};
use noetl_api::log::{AttemptLog, LogReceipt, LogReport};
use noetl_api::worker::{
    ClaimRequest, Claims, HeartbeatAnswer, WorkerHeartbeat, WorkerRegistered, WorkerRegistration,
};
use noetl_engine::ToolEnvironment;
use noetl_engine::execution::{Command, Outcome, event_name};
use noetl_server::worker::{Claim, LentSlot, LogSink, Report, Slots, Source};
use serde_json::{Map, Value};

use super::ask::{may_pass, post};
use super::host::WorkerHost;
use crate::client::Client;
use crate::client::error::Error;
use crate::config;

/// How long the server keeps a request for commands open, in seconds.
const WAIT_SECONDS: u32 = 20;
/// The most commands that one request asks for; the server refuses more.
const LIMIT: usize = 100;

/// The server that a worker works for.
pub(super) struct ServerSource {
    pub(super) client: Arc<Client>,
    /// The worker's name.
    pub(super) name: String,
    pub(super) capacity: usize,
    pub(super) tools: ToolEnvironment,
}

impl ServerSource {
    /// Registers the worker with the server.
    pub(super) async fn register(&self) -> Result<(), Error> {
        let request = WorkerRegistration {
            name: self.name.clone(),
            runtime: Some("rust".to_owned()),
            capacity: Some(u32::try_from(self.capacity).unwrap_or(u32::MAX)),
            labels: None,
            pid: Some(std::process::id()),
            hostname: config::host_name(),
        };
        let path = "/api/worker/pool/register";
        let _registered: WorkerRegistered = post(&self.client, path, request).await?;
        Ok(())
    }

    /// Removes the worker from the server, which gives back its commands for others to claim.
    pub(super) async fn deregister(&self) {
        let request = WorkerHeartbeat {
            name: self.name.clone(),
            commands: None,
        };
        let path = "/api/worker/pool/deregister";
        let answer: Result<HeartbeatAnswer, Error> = post(&self.client, path, request).await;
        if let Err(error) = answer {
            tracing::warn!(%error, "cannot deregister this worker");
        }
    }
}

impl Source for ServerSource {
    type Error = Error;
    type Host = WorkerHost;

    async fn claim(&self, slots: &Slots, _held: &[String]) -> Result<Vec<Claim>, Error> {
        // No slot is taken while the request is open: a command that waited for a sub-playbook may need it.
        let limit = slots.free().clamp(1, LIMIT);
        let request = ClaimRequest {
            worker_id: self.name.clone(),
            limit: u32::try_from(limit).ok(),
            wait_seconds: Some(WAIT_SECONDS),
        };
        let claims: Claims = post(&self.client, "/api/commands/claim", request).await?;
        let read = |command| match serde_json::from_value(Value::Object(command)) {
            Ok(command) => Some(Claim {
                command,
                slot: slots.try_take(),
            }),
            Err(error) => {
                tracing::error!(%error, "the server sent a command that this worker cannot read");
                None
            }
        };
        Ok(claims.commands.into_iter().filter_map(read).collect())
    }

    async fn heartbeat(&self, held: Vec<String>) -> Result<Vec<String>, Error> {
        let request = WorkerHeartbeat {
            name: self.name.clone(),
            commands: Some(held),
        };
        let answer = post(&self.client, "/api/worker/pool/heartbeat", request).await;
        match answer {
            Ok(HeartbeatAnswer { cancelled, .. }) => Ok(cancelled),
            // The server no longer knows the worker.
            Err(error) if error.status == Some(404) => {
                self.register().await?;
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    async fn report(&self, command: &Command, outcome: &Outcome) -> Result<Report, Error> {
        let request = match report_of(command, outcome, &self.name) {
            Ok(request) => request,
            Err(error) => return Ok(Report::Refused(error.to_string())),
        };
        let answer: Result<EventAnswer, Error> = post(&self.client, "/api/events", request).await;
        let Err(error) = answer else {
            return Ok(Report::Kept);
        };
        match error.status {
            // The server has the outcome; only its answer is unknown to this version.
            Some(200..=299) => Ok(Report::Kept),
            Some(404 | 409) => {
                tracing::warn!(command = command.id, %error, "the outcome came too late");
                Ok(Report::TooLate)
            }
            Some(400 | 413 | 415 | 422) => Ok(Report::Refused(error.to_string())),
            _ => Err(error),
        }
    }

    async fn log(&self, batches: &[AttemptLog]) -> Result<(), Error> {
        let request = LogReport {
            worker_id: self.name.clone(),
            logs: batches.to_vec(),
        };
        let answer = post(&self.client, "/api/worker/logs", request).await;
        match answer {
            Ok(LogReceipt { .. }) => Ok(()),
            // It would be refused each time, and what waits behind it is wanted.
            Err(error) if matches!(error.status, Some(400..=499)) && !may_pass(&error) => {
                tracing::error!(%error, "the server refuses what steps have printed");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn host(&self, command: &Command, slot: LentSlot, log: LogSink) -> WorkerHost {
        tracing::info!(command = command.id, step = command.step, "started");
        WorkerHost {
            client: Arc::clone(&self.client),
            execution_id: command.execution_id.clone(),
            tools: self.tools.clone(),
            slot,
            log,
        }
    }

    fn ended(&self, command: &Command, outcome: &Outcome) {
        tracing::info!(
            command = command.id,
            ok = outcome.error.is_none(),
            ms = outcome.duration_ms,
            "ended"
        );
    }
}

/// The event that reports an outcome.
fn report_of(command: &Command, outcome: &Outcome, worker: &str) -> anyhow::Result<EventRequest> {
    let name = if outcome.error.is_some() {
        event_name::CALL_ERROR
    } else {
        event_name::CALL_DONE
    };
    let Value::Object(payload) = serde_json::to_value(outcome)? else {
        anyhow::bail!("the outcome is no JSON object");
    };
    Ok(EventRequest {
        execution_id: command.execution_id.clone().into(),
        step: Some(command.step.clone()),
        name: name.to_owned(),
        payload,
        meta: Some(Map::from_iter([(
            "command_id".to_owned(),
            command.id.clone().into(),
        )])),
        worker_id: Some(worker.to_owned()),
    })
}
