//! `noetl worker start`: claims commands under leases, runs them, reports their outcomes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use noetl_engine::Failure;
use noetl_engine::execution::{Command, Outcome};
use noetl_help::Help as _;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use super::host::WorkerHost;
use crate::cli::client::RootArgs;
use crate::cli::worker::WorkerStartArgs;
use crate::client::remote::Remote;
use crate::client::{Client, error::Error};
use crate::config;
use crate::output;
use crate::process::pid_file::{self, PidFile};
use crate::process::{log, signals};

/// How long one question for work stays open, in seconds.
const WAIT: u32 = 20;
/// How often the worker says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The first pause before asking a server again that does not answer.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest one.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(15);

/// A worker at work.
struct Worker {
    client: Arc<Client>,
    name: String,
    capacity: usize,
    tasks: Mutex<HashMap<String, AbortHandle>>,
    slots: Arc<Semaphore>,
}

pub(super) fn run(args: &WorkerStartArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    log::to_stderr();
    let client = Arc::new(Client::new(Remote::find(&args.remote.or(root))?)?);
    let capacity = config::max_workers(args.max_workers).max(1);
    let name = args
        .name
        .clone()
        .or_else(config::worker_name)
        .unwrap_or_else(|| format!("worker-{}", std::process::id()));
    let worker = Arc::new(Worker {
        client,
        name: unique(&name),
        capacity,
        tasks: Mutex::default(),
        slots: Arc::new(Semaphore::new(capacity)),
    });
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let ended = runtime.block_on(async {
        let stop = signals::stop()?;
        worker
            .register()
            .await
            .help("start a server with `noetl server start`, or name another with --server-url")?;
        let pid_file = PidFile::create(&pid_file::worker(&name), worker.client.url())?;
        let words = format!(
            "noetl worker {} takes up work of {} ({capacity} at once)",
            worker.name,
            worker.client.url()
        );
        // It works whether or not somebody reads this.
        drop(output::text(&words));
        tokio::spawn(Arc::clone(&worker).heartbeats());
        tokio::select! {
            () = Arc::clone(&worker).work() => {}
            () = stop => {}
        }
        worker.leave().await;
        drop(pid_file);
        anyhow::Ok(())
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Tells workers of one name apart, and one from its predecessor: in containers all have the same number.
fn unique(name: &str) -> String {
    let began = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let random = RandomState::new().hash_one(began.as_nanos()) as u32;
    format!("{name}-{}-{random:08x}", std::process::id())
}

impl Worker {
    async fn post(&self, path: &'static str, body: Value) -> Result<Value, Error> {
        let client = Arc::clone(&self.client);
        tokio::task::spawn_blocking(move || client.post(path, &body))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    async fn register(&self) -> Result<(), Error> {
        let body = json!({
            "name": self.name, "runtime": "rust", "capacity": self.capacity, "pid": std::process::id(),
            "hostname": config::host_name(),
        });
        self.post("/api/worker/pool/register", body).await.map(drop)
    }

    fn held(&self) -> Vec<String> {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// Renews the leases, and stops what is cancelled or was given to another.
    async fn heartbeats(self: Arc<Self>) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let body = json!({ "name": self.name, "commands": self.held() });
            match self.post("/api/worker/pool/heartbeat", body).await {
                Ok(answer) => {
                    for command in answer["cancelled"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                    {
                        let task = self
                            .tasks
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .remove(command);
                        if let Some(task) = task {
                            tracing::info!(
                                command,
                                "stopped: cancelled, or held by another worker"
                            );
                            task.abort();
                        }
                    }
                }
                // The server has lost its memory of us.
                Err(error) if error.status == Some(404) => {
                    if let Err(error) = self.register().await {
                        tracing::warn!(%error, "cannot register again");
                    }
                }
                Err(error) => tracing::warn!(%error, "the server did not hear our sign of life"),
            }
        }
    }

    /// Asks for work and takes it up, for as long as the worker lives.
    async fn work(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            // Nothing is held while the question is open: a step that a sub-playbook gives back to wants its slot.
            if self.slots.acquire().await.is_err() {
                return;
            }
            let room = self.slots.available_permits().max(1);
            let body =
                json!({ "worker_id": self.name, "limit": room.min(100), "wait_seconds": WAIT });
            let claims = match self.post("/api/commands/claim", body).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::warn!(%error, "the server gives no work; asking again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                    continue;
                }
            };
            pause = FIRST_PAUSE;
            for command in claims["commands"].as_array().into_iter().flatten() {
                let command: Command = match serde_json::from_value(command.clone()) {
                    Ok(command) => command,
                    Err(error) => {
                        tracing::error!(%error, "the server gave a command that this worker cannot read");
                        continue;
                    }
                };
                let slots = Arc::clone(&self.slots);
                let slot = Arc::clone(&slots).try_acquire_owned();
                let (worker, id) = (Arc::clone(&self), command.id.clone());
                let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                let task = tokio::spawn(async move {
                    let slot = match slot {
                        Ok(slot) => slot,
                        Err(_) => match slots.acquire_owned().await {
                            Ok(slot) => slot,
                            Err(_) => return,
                        },
                    };
                    worker.serve(command, slot).await;
                });
                tasks.insert(id, task.abort_handle());
            }
        }
    }

    async fn serve(&self, command: Command, slot: OwnedSemaphorePermit) {
        let host = WorkerHost {
            client: Arc::clone(&self.client),
            execution_id: command.execution_id.clone(),
            machine: config::tool_environment(),
            slots: Arc::clone(&self.slots),
            slot: tokio::sync::Mutex::new(Some(slot)),
        };
        tracing::info!(command = command.id, step = command.step, "started");
        let outcome = noetl_engine::run_command(&command, &host).await;
        tracing::info!(
            command = command.id,
            ok = outcome.error.is_none(),
            ms = outcome.duration_ms,
            "ended"
        );
        self.report(&command, &outcome).await;
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&command.id);
    }

    /// Reports an outcome until the server has it, or says that nobody waits for it.
    async fn report(&self, command: &Command, outcome: &Outcome) {
        let name = if outcome.error.is_some() {
            "call.error"
        } else {
            "call.done"
        };
        let body = json!({
            "execution_id": command.execution_id, "step": command.step, "name": name, "payload": outcome,
            "meta": { "command_id": command.id }, "worker_id": self.name,
        });
        let (mut body, mut refused) = (body, false);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post("/api/events", body.clone()).await {
                Ok(_) => return,
                Err(error) if matches!(error.status, Some(404 | 409)) => {
                    tracing::warn!(command = command.id, %error, "the outcome came too late");
                    return;
                }
                // Kept to itself, the step would run again with every lapse of its lease, for ever.
                Err(error) if matches!(error.status, Some(400 | 413 | 422)) && !refused => {
                    tracing::error!(command = command.id, %error, "the server refuses the outcome");
                    let why = format!("the server refuses the result of this step: {error}");
                    body["payload"] = json!(Outcome::failed(Failure::new("limit", why)));
                    body["name"] = json!("call.error");
                    refused = true;
                }
                Err(error) if matches!(error.status, Some(400 | 413 | 415 | 422)) => {
                    tracing::error!(command = command.id, %error, "the server refuses even the failure");
                    return;
                }
                Err(error) => {
                    tracing::warn!(command = command.id, %error, "the outcome is not with the server yet; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Gives back what runs, so that others go on at once.
    async fn leave(&self) {
        let tasks: Vec<_> = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .collect();
        for (_, task) in tasks {
            task.abort();
        }
        let answer = self
            .post("/api/worker/pool/deregister", json!({ "name": self.name }))
            .await;
        if let Err(error) = answer {
            tracing::warn!(%error, "the server does not know that this worker has left");
        }
    }
}
