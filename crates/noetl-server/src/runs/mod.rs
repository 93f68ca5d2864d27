//! Executions: their machines, kept in step with the store, and the workers that serve them.
//!
//! Every change of an execution is one transaction: its machine takes an input, and the events and
//! commands that come of it are written together with the execution's row. A machine in memory is only
//! a cache; whoever finds it behind the store reads the log and goes on from there.

mod cancel;
mod changes;
mod host;
mod load;
mod turn;
mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use noetl_api::ExecutionStatus;
use noetl_engine::execution::{Command, Machine, Outcome};
use noetl_engine::{HostMachine, Playbook, Problems};
use serde_json::{Map, Value as Json};
use tokio::sync::{Notify, Semaphore, broadcast};

pub(crate) use changes::Change;
pub(crate) use host::CredentialError;
pub(crate) use worker::LEASE_MS;

use load::Input;

use crate::clock;
use crate::store::{CatalogEntry, ExecutionRow, Ids, Store, StoreError};
use crate::vault::Vault;

/// Executions whose machines stay in memory at the most; those beyond are read again when needed.
const CACHED: usize = 2_000;

/// Why an execution could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such playbook.
    #[error("there is no playbook {0} in the catalog")]
    NoPlaybook(String),
    /// The playbook cannot run.
    #[error("the playbook cannot run")]
    Invalid(Problems),
    /// There is no such execution.
    #[error("there is no execution {0}")]
    NoExecution(i64),
    /// There is no such command, or it has its outcome.
    #[error("there is no command {0} that waits for an outcome")]
    NoCommand(String),
    /// Somebody else has the command.
    #[error("command {0} is held by another worker")]
    Held(String),
    /// The execution has ended.
    #[error("execution {0} has ended")]
    Ended(i64),
    /// A step that the playbook lacks.
    #[error("the playbook has no step `{0}`")]
    NoStep(String),
}

/// What to start.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) payload: Map<String, Json>,
    pub(crate) target: Option<String>,
    pub(crate) parent_execution_id: Option<i64>,
    /// The call of the parent; a second start with the same one finds the first.
    pub(crate) parent_call: Option<String>,
}

/// A started execution.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) execution_id: i64,
    pub(crate) commands: usize,
}

/// An outcome that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Completed {
    pub(crate) event_id: i64,
    /// Commands that came of it.
    pub(crate) commands: usize,
    /// Whether it was kept before.
    pub(crate) duplicate: bool,
}

/// The executions of one server.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) store: Store,
    pub(crate) ids: Ids,
    pub(crate) vault: Vault,
    /// Names this server's own worker in leases.
    pub(crate) worker_id: String,
    machine: HostMachine,
    cache: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<Option<Loaded>>>>>,
    playbooks: Mutex<HashMap<i64, Arc<Playbook>>>,
    changes: broadcast::Sender<Change>,
    /// Something may have become due.
    due: Notify,
    slots: Arc<Semaphore>,
    tasks: Mutex<HashMap<String, tokio::task::AbortHandle>>,
    /// Commands that have ended here and whose outcomes are not in the store yet.
    reporting: Mutex<HashSet<String>>,
    stopping: std::sync::atomic::AtomicBool,
}

/// A machine, and the last event that it knows of.
#[derive(Debug)]
struct Loaded {
    machine: Machine,
    row: ExecutionRow,
}

impl Runs {
    pub(crate) fn new(
        store: Store,
        ids: Ids,
        vault: Vault,
        worker_id: String,
        capacity: usize,
        machine: HostMachine,
    ) -> Self {
        Self {
            store,
            ids,
            vault,
            worker_id,
            machine,
            cache: Mutex::default(),
            playbooks: Mutex::default(),
            changes: broadcast::channel(4096).0,
            due: Notify::new(),
            slots: Arc::new(Semaphore::new(capacity)),
            tasks: Mutex::default(),
            reporting: Mutex::default(),
            stopping: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Hears of every execution that changes.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// The model of a catalog entry, read once.
    pub(crate) fn playbook(&self, entry: &CatalogEntry) -> Result<Arc<Playbook>, RunError> {
        let mut playbooks = self
            .playbooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = playbooks.get(&entry.catalog_id) {
            return Ok(Arc::clone(known));
        }
        let file = format!("{}@{}", entry.path, entry.version);
        let playbook = Playbook::parse(&file, &entry.content).map_err(RunError::Invalid)?;
        let playbook = Arc::new(playbook);
        if playbooks.len() >= CACHED {
            playbooks.clear();
        }
        playbooks.insert(entry.catalog_id, Arc::clone(&playbook));
        Ok(playbook)
    }

    /// Starts an execution of a catalog entry.
    pub(crate) async fn start(
        self: &Arc<Self>,
        entry: &CatalogEntry,
        start: Start,
    ) -> Result<Started, RunError> {
        let playbook = self.playbook(entry)?;
        if let Some(target) = &start.target
            && playbook.step(target).is_none()
        {
            return Err(RunError::NoStep(target.clone()));
        }
        let execution_id = self.ids.next();
        let row = ExecutionRow {
            execution_id,
            catalog_id: entry.catalog_id,
            path: entry.path.clone(),
            version: entry.version,
            status: ExecutionStatus::Running,
            payload: Json::Object(start.payload.clone()).to_string(),
            target: start.target.clone(),
            parent_execution_id: start.parent_execution_id,
            parent_call: start.parent_call.clone(),
            current_step: None,
            progress: 0,
            result: None,
            error: None,
            start_time: clock::now_ms(),
            end_time: None,
            last_event_id: 0,
        };
        let machine = Machine::new(playbook, &execution_id.to_string(), &start.payload);
        let slot = self.slot(execution_id);
        let mut loaded = slot.lock().await;
        let mut fresh = Loaded { machine, row };
        let mut transaction = self.store.begin().await?;
        if !Store::insert_execution(&mut transaction, &fresh.row).await? {
            drop(transaction);
            self.forget(execution_id);
            let call = start.parent_call.unwrap_or_default();
            let known = self.store.execution_by_call(&call).await?;
            let execution_id = known
                .ok_or(RunError::NoExecution(execution_id))?
                .execution_id;
            return Ok(Started {
                execution_id,
                commands: 0,
            });
        }
        let turn = fresh.machine.start(start.target.as_deref());
        let commands = turn.commands.len();
        let written = self.write(&mut transaction, &mut fresh, turn, None).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        *loaded = Some(fresh);
        drop(loaded);
        self.after(written);
        Ok(Started {
            execution_id,
            commands,
        })
    }

    /// Takes a command for a worker.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
    ) -> Result<Command, RunError> {
        let changed = self
            .change(
                execution_id,
                Input::Claim {
                    command_id,
                    worker_id,
                },
            )
            .await?;
        changed
            .claimed
            .ok_or_else(|| RunError::NoCommand(command_id.to_owned()))
    }

    /// Takes what a worker says of a command besides its outcome: that it claims it, began or ended it.
    pub(crate) async fn note(
        self: &Arc<Self>,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
        claims: bool,
    ) -> Result<(), RunError> {
        let row = self.store.command(command_id).await?;
        if row
            .as_ref()
            .is_some_and(|row| row.execution_id != execution_id)
        {
            return Err(RunError::NoCommand(command_id.to_owned()));
        }
        let holder = row.and_then(|row| row.worker_id);
        match holder {
            Some(holder) if holder == worker_id => Ok(()),
            Some(_) => Err(RunError::Held(command_id.to_owned())),
            None if claims => self
                .claim(execution_id, command_id, worker_id)
                .await
                .map(drop),
            None => Ok(()),
        }
    }

    /// Takes the outcome of a command from the worker that holds it.
    pub(crate) async fn complete(
        self: &Arc<Self>,
        execution_id: i64,
        command_id: &str,
        worker_id: &str,
        outcome: &Outcome,
    ) -> Result<Completed, RunError> {
        let input = Input::Outcome {
            command_id,
            worker_id,
            outcome,
        };
        let done = self.change(execution_id, input).await;
        let known = self.store.outcome_event(execution_id, command_id);
        match done {
            Ok(changed) => Ok(Completed {
                event_id: known.await?.unwrap_or_default(),
                commands: changed.commands,
                duplicate: false,
            }),
            // Sent twice, because the first answer was lost on the way.
            Err(error @ (RunError::NoCommand(_) | RunError::Ended(_))) => Ok(Completed {
                event_id: known.await?.ok_or(error)?,
                commands: 0,
                duplicate: true,
            }),
            Err(error) => Err(error),
        }
    }

    fn slot(&self, execution_id: i64) -> Arc<tokio::sync::Mutex<Option<Loaded>>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            // Those that nobody uses just now can be read again.
            cache.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(cache.entry(execution_id).or_default())
    }

    fn forget(&self, execution_id: i64) {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&execution_id);
    }
}
