//! Starts and changes executions, in one transaction for each change.

use std::sync::Arc;

use noetl_engine::Playbook;
use noetl_engine::execution::{Command, Machine, Outcome, Turn};
use serde_json::{Map, Value as Json};

use super::error::RunError;
use super::local_queue::{LocalQueue, Order};
use super::machines::{Loaded, Machines};
use super::playbooks::Playbooks;
use super::restore::restore;
use super::retry::Kept;
use super::start::{Start, Started};
use super::write::{Told, Writer, Written};
use crate::changes::Changes;
use crate::store::{CatalogEntry, Holder, Ids, LEASE_MS, MOST_LOSSES, Store, Write};

/// How many bytes of an attempt's output are kept when nothing else is said.
const DEFAULT_LOG_LIMIT: usize = 1 << 20;

/// The executions of one server.
#[derive(Debug)]
pub(crate) struct Executions {
    pub(super) store: Store,
    pub(super) changes: Changes,
    pub(super) writer: Writer,
    pub(super) machines: Machines,
    playbooks: Playbooks,
    /// How many bytes of an attempt's output are kept.
    pub(super) log_limit: usize,
}

/// An input of an execution's machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// A worker claims a command.
    Claim {
        command_id: &'a str,
        holder: Holder<'a>,
    },
    /// The worker that holds a command reports its outcome.
    Outcome {
        command_id: &'a str,
        worker_id: &'a str,
        outcome: &'a Outcome,
    },
    /// A request cancels it.
    Cancel { reason: &'a str },
    /// A request sets variables.
    Variables(&'a Map<String, Json>),
}

/// The result of a change.
#[derive(Debug)]
pub(super) struct Changed {
    /// The command that was claimed.
    pub(super) claimed: Option<Command>,
    /// How many commands were issued.
    pub(super) commands: usize,
    /// The event of the outcome that was the input.
    pub(super) outcome_event: Option<i64>,
}

impl Executions {
    pub(crate) fn new(store: Store, ids: Arc<Ids>, local: LocalQueue) -> Self {
        Self {
            writer: Writer {
                ids,
                local,
                store: store.clone(),
            },
            store,
            changes: Changes::default(),
            machines: Machines::default(),
            playbooks: Playbooks::default(),
            log_limit: DEFAULT_LOG_LIMIT,
        }
    }

    /// Sets how many bytes of an attempt's output are kept.
    pub(crate) fn with_log_limit(self, log_limit: usize) -> Self {
        Self { log_limit, ..self }
    }

    /// The notifications of changes.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Returns the playbook of a catalog entry.
    pub(crate) fn playbook(&self, entry: &CatalogEntry) -> Result<Arc<Playbook>, RunError> {
        self.playbooks.get(entry)
    }

    /// Starts an execution of a catalog entry.
    pub(crate) async fn start(
        &self,
        entry: &CatalogEntry,
        start: Start,
    ) -> Result<Started, RunError> {
        self.start_with(entry, start, Kept::default()).await
    }

    /// Starts an execution that begins with the outcomes of another one.
    pub(super) async fn start_with(
        &self,
        entry: &CatalogEntry,
        mut start: Start,
        kept: Kept,
    ) -> Result<Started, RunError> {
        let playbook = self.playbooks.get(entry)?;
        if let Some(target) = &start.target
            && playbook.step(target).is_none()
        {
            return Err(RunError::NoStep(target.clone()));
        }
        let execution_id = self.writer.ids.next();
        let row = start.row(execution_id, entry);
        let (id, shown_id) = (execution_id.to_string(), row.shown_id().to_string());
        let machine = Machine::retrying(playbook, &id, &shown_id, &start.payload);
        let payload = Json::Object(std::mem::take(&mut start.payload)).to_string();
        if let Err(problems) = machine.check_workload() {
            // What was started before the schema changed is answered as before.
            let known = self.started_before(&row, start.idempotency_key, &payload);
            return match known.await {
                Err(RunError::NoExecution(_)) => Err(RunError::Input(problems)),
                known => known,
            };
        }
        let machine_slot = self.machines.entry(execution_id);
        let mut cached = machine_slot.lock().await;
        let mut loaded = Loaded {
            machine,
            row,
            bytes: payload.len(),
        };
        // Before the transaction, which others wait for.
        let mut turn = loaded.machine.start(start.target.as_deref());
        let told = kept.replay(&mut loaded.machine, &mut turn);
        let mut transaction = self.store.begin().await?;
        if !Store::insert_execution(&mut transaction, &loaded.row, &payload).await? {
            transaction.rollback().await;
            self.machines.forget(execution_id);
            return self
                .started_before(&loaded.row, start.idempotency_key, &payload)
                .await;
        }
        let written = self
            .writer
            .write(&mut transaction, &mut loaded, turn, Told::Before(told))
            .await?;
        transaction.commit().await?;
        self.keep(execution_id, loaded, &mut cached);
        drop(cached);
        let commands = written.commands;
        self.publish(written);
        Ok(Started {
            execution_id,
            commands,
            catalog_id: entry.catalog_id,
            version: entry.version,
        })
    }

    /// Changes an execution. Changes of one execution wait for each other, on this server and on others.
    pub(super) async fn change(
        &self,
        execution_id: i64,
        input: Input<'_>,
    ) -> Result<Changed, RunError> {
        let entry = self.machines.entry(execution_id);
        let mut cached = entry.lock().await;
        let mut transaction = self.store.begin().await?;
        // The machine of a change that fails is not put back, so that the next change reads the log.
        let changed = self.change_in(&mut transaction, cached.take(), execution_id, input);
        let (loaded, written, claimed) = match changed.await {
            Ok(changed) => changed,
            // Its connection is closed.
            Err(RunError::Store(error)) => return Err(error.into()),
            Err(error) => {
                transaction.rollback().await;
                return Err(error);
            }
        };
        transaction.commit().await?;
        self.keep(execution_id, loaded, &mut cached);
        drop(cached);
        let changed = Changed {
            claimed,
            commands: written.commands,
            outcome_event: written.outcome_event,
        };
        self.publish(written);
        Ok(changed)
    }

    /// Keeps a machine for the next change, unless its execution has ended.
    fn keep(&self, execution_id: i64, loaded: Loaded, cached: &mut Option<Loaded>) {
        if loaded.machine.status().is_final() {
            self.machines.forget(execution_id);
        } else {
            self.machines.weigh(execution_id, loaded.bytes);
            *cached = Some(loaded);
        }
    }

    async fn change_in(
        &self,
        transaction: &mut Write,
        cached: Option<Loaded>,
        execution_id: i64,
        input: Input<'_>,
    ) -> Result<(Loaded, Written, Option<Command>), RunError> {
        let row = match self.store.lock_execution(transaction, execution_id).await? {
            Some(row) if row.status.is_final() => Err(RunError::Ended(execution_id)),
            Some(row) => Ok(row),
            None => Err(RunError::NoExecution(execution_id)),
        };
        let row = row.inspect_err(|_| self.machines.forget(execution_id))?;
        let known = cached.filter(|loaded| loaded.row.last_event_id == row.last_event_id);
        let mut loaded = match known {
            Some(loaded) => loaded,
            None => restore(transaction, &self.playbooks, row).await?,
        };
        let (written, claimed) = self.apply(transaction, &mut loaded, input).await?;
        Ok((loaded, written, claimed))
    }

    /// Reads from an execution's machine, whether the execution has ended or not.
    pub(crate) async fn look<T>(
        &self,
        execution_id: i64,
        look: impl FnOnce(&Machine) -> T,
    ) -> Result<T, RunError> {
        let entry = self.machines.entry(execution_id);
        let cached = entry.lock().await;
        let row = self
            .store
            .execution(execution_id)
            .await?
            .ok_or(RunError::NoExecution(execution_id))?;
        if let Some(loaded) = cached
            .as_ref()
            .filter(|loaded| loaded.row.last_event_id == row.last_event_id)
        {
            return Ok(look(&loaded.machine));
        }
        let ended = row.status.is_final();
        let loaded = restore(&mut *self.store.read().await?, &self.playbooks, row).await?;
        drop(cached);
        if ended {
            self.machines.forget(execution_id);
        }
        Ok(look(&loaded.machine))
    }

    async fn apply(
        &self,
        transaction: &mut Write,
        loaded: &mut Loaded,
        input: Input<'_>,
    ) -> Result<(Written, Option<Command>), RunError> {
        let no_command = |command_id: &str| RunError::NoCommand(command_id.to_owned());
        let mut claimed = None;
        let mut told = Told::Nothing;
        let turn = match input {
            Input::Claim { command_id, holder } => {
                self.claim_row(transaction, command_id, holder).await?;
                let command = loaded.machine.command(command_id).cloned();
                claimed = Some(command.ok_or_else(|| no_command(command_id))?);
                Turn {
                    events: loaded.machine.claimed(command_id, holder.name),
                    ..Turn::default()
                }
            }
            Input::Outcome {
                command_id,
                worker_id,
                outcome,
            } => {
                let row = Store::command_in(transaction, command_id)
                    .await?
                    .ok_or_else(|| no_command(command_id))?;
                if row.worker_id.as_deref() != Some(worker_id) {
                    return Err(RunError::Held(command_id.to_owned()));
                }
                let turn = loaded
                    .machine
                    .complete(command_id, outcome.clone())
                    .map_err(|_| no_command(command_id))?;
                Store::delete_command(transaction, command_id).await?;
                told = Told::Now(command_id, outcome);
                turn
            }
            Input::Cancel { reason } => loaded.machine.cancel(reason),
            Input::Variables(variables) => {
                loaded.machine.set_variables(variables);
                let written = self
                    .writer
                    .write_variables(transaction, loaded, variables)
                    .await?;
                return Ok((written, None));
            }
        };
        let written = self.writer.write(transaction, loaded, turn, told).await?;
        Ok((written, claimed))
    }

    /// Assigns a command to a worker until the lease lapses.
    async fn claim_row(
        &self,
        transaction: &mut Write,
        command_id: &str,
        holder: Holder<'_>,
    ) -> Result<(), RunError> {
        let now = self.store.clock().now();
        match Store::claim(transaction, command_id, holder, now, now + LEASE_MS).await? {
            Some(lost) if lost < MOST_LOSSES => return Ok(()),
            _ => {}
        }
        let row = Store::command_in(transaction, command_id).await?;
        let row = row.ok_or_else(|| RunError::NoCommand(command_id.to_owned()))?;
        Err(if row.lost < MOST_LOSSES {
            RunError::Held(command_id.to_owned())
        } else {
            RunError::HoldersLost {
                step: row.step,
                times: row.lost,
            }
        })
    }

    /// Notifies the workers and receivers of a change that is committed.
    pub(super) fn publish(&self, written: Written) {
        for news in &written.news {
            news.log();
        }
        for command_id in written.dropped {
            self.writer.local.send(Order::Stop(command_id));
        }
        for claim in written.own {
            self.writer.local.send(Order::Run(Box::new(claim)));
        }
        if written.waiting {
            self.changes.announce_due();
        }
        self.changes.publish(written.change);
    }
}
