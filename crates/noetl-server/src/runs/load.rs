//! Bringing a machine back from the log, and changing an execution in one transaction.

use std::sync::Arc;

use noetl_engine::execution::{Command, Machine, Outcome, Turn};
use serde_json::{Map, Value as Json};
use sqlx::{Any, Transaction};

use super::changes::Written;
use super::{LEASE_MS, Loaded, RunError, Runs};
use crate::clock;
use crate::store::{ExecutionRow, Store, StoreError};

/// What can happen to an execution.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// A worker wants a command.
    Claim {
        command_id: &'a str,
        worker_id: &'a str,
    },
    /// The worker that holds a command reports its outcome.
    Outcome {
        command_id: &'a str,
        worker_id: &'a str,
        outcome: &'a Outcome,
    },
    /// Somebody ends it.
    Cancel { reason: &'a str },
    /// Somebody sets variables.
    Variables(&'a Map<String, Json>),
}

/// What a change gave.
#[derive(Debug)]
pub(super) struct Changed {
    /// The command that was claimed.
    pub(super) claimed: Option<Command>,
    /// Commands that were issued.
    pub(super) commands: usize,
}

impl Runs {
    /// Changes an execution: nobody else does so at the same time, here or on another server.
    pub(super) async fn change(
        self: &Arc<Self>,
        execution_id: i64,
        input: Input<'_>,
    ) -> Result<Changed, RunError> {
        let slot = self.slot(execution_id);
        let mut cached = slot.lock().await;
        let mut transaction = self.store.begin().await?;
        let row = self
            .store
            .lock_execution(&mut transaction, execution_id)
            .await?;
        let Some(row) = row else {
            self.forget(execution_id);
            return Err(RunError::NoExecution(execution_id));
        };
        if row.status.is_final() {
            self.forget(execution_id);
            return Err(RunError::Ended(execution_id));
        }
        let known = cached
            .take()
            .filter(|loaded| loaded.row.last_event_id == row.last_event_id);
        let mut loaded = match known {
            Some(loaded) => loaded,
            None => self.restore(&mut transaction, row).await?,
        };
        // A change that fails half-way leaves no machine behind: the next one reads the log.
        let (written, claimed) = self.apply(&mut transaction, &mut loaded, input).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if loaded.machine.status().is_final() {
            self.forget(execution_id);
        } else {
            *cached = Some(loaded);
        }
        drop(cached);
        let commands = written.commands;
        self.after(written);
        Ok(Changed { claimed, commands })
    }

    async fn apply(
        &self,
        transaction: &mut Transaction<'static, Any>,
        loaded: &mut Loaded,
        input: Input<'_>,
    ) -> Result<(Written, Option<Command>), RunError> {
        match input {
            Input::Claim {
                command_id,
                worker_id,
            } => {
                let now = clock::now_ms();
                let missing = || RunError::NoCommand(command_id.to_owned());
                if !Store::claim(transaction, command_id, worker_id, now, now + LEASE_MS).await? {
                    let held = Store::command_in(transaction, command_id).await?;
                    return Err(
                        held.map_or_else(missing, |_| RunError::Held(command_id.to_owned()))
                    );
                }
                let command = loaded
                    .machine
                    .command(command_id)
                    .cloned()
                    .ok_or_else(missing)?;
                let turn = Turn {
                    events: loaded.machine.claimed(command_id, worker_id),
                    ..Turn::default()
                };
                Ok((
                    self.write(transaction, loaded, turn, None).await?,
                    Some(command),
                ))
            }
            Input::Outcome {
                command_id,
                worker_id,
                outcome,
            } => {
                let missing = || RunError::NoCommand(command_id.to_owned());
                let row = Store::command_in(transaction, command_id)
                    .await?
                    .ok_or_else(missing)?;
                if row.worker_id.as_deref() != Some(worker_id) {
                    return Err(RunError::Held(command_id.to_owned()));
                }
                let turn = loaded
                    .machine
                    .complete(command_id, outcome.clone())
                    .map_err(|_| missing())?;
                Store::delete_command(transaction, command_id).await?;
                Ok((
                    self.write(transaction, loaded, turn, Some((command_id, outcome)))
                        .await?,
                    None,
                ))
            }
            Input::Cancel { reason } => {
                let turn = loaded.machine.cancel(reason);
                Ok((self.write(transaction, loaded, turn, None).await?, None))
            }
            Input::Variables(variables) => {
                loaded.machine.set_variables(variables);
                let event = self.variables_event(loaded, variables);
                Store::insert_events(transaction, std::slice::from_ref(&event)).await?;
                Ok((
                    self.write(transaction, loaded, Turn::default(), None)
                        .await?,
                    None,
                ))
            }
        }
    }

    /// Looks at an execution's machine, ended or not, without changing anything.
    pub(crate) async fn look<T>(
        self: &Arc<Self>,
        execution_id: i64,
        look: impl FnOnce(&Machine) -> T,
    ) -> Result<T, RunError> {
        let slot = self.slot(execution_id);
        let cached = slot.lock().await;
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
        let mut transaction = self.store.begin().await?;
        let loaded = self.restore(&mut transaction, row).await?;
        drop(transaction);
        drop(cached);
        if ended {
            self.forget(execution_id);
        }
        Ok(look(&loaded.machine))
    }

    /// A machine as the log left it.
    async fn restore(
        &self,
        transaction: &mut Transaction<'static, Any>,
        row: ExecutionRow,
    ) -> Result<Loaded, RunError> {
        let entry = self
            .store
            .entry_by_id_in(transaction, row.catalog_id)
            .await?;
        let entry = entry.ok_or_else(|| RunError::NoPlaybook(row.path.clone()))?;
        let playbook = self.playbook(&entry)?;
        let payload: Map<String, Json> = serde_json::from_str(&row.payload).map_err(|error| {
            StoreError::Corrupt(format!(
                "payload of execution {}: {error}",
                row.execution_id
            ))
        })?;
        let mut machine = Machine::new(playbook, &row.execution_id.to_string(), &payload);
        let mut turn = machine.start(row.target.as_deref());
        turn.events.clear();
        for event in Store::inputs(transaction, row.execution_id).await? {
            let command_id = event.node_id.as_deref().unwrap_or_default();
            match (event.event_type.as_str(), event.meta.as_deref()) {
                ("command.claimed", _) => {
                    machine.claimed(command_id, "");
                }
                ("vars.set", Some(variables)) => {
                    machine.set_variables(&parse(variables, &event.event_type)?);
                }
                (_, Some(meta)) => {
                    let mut outcome: Outcome = parse(meta, &event.event_type)?;
                    if let Some(error) = &event.error {
                        outcome.error = Some(parse(error, &event.event_type)?);
                    } else if let Some(result) = &event.result {
                        outcome.result = parse(result, &event.event_type)?;
                    }
                    machine
                        .complete(command_id, outcome)
                        .map_err(|error| StoreError::Corrupt(error.to_string()))?;
                }
                (_, None) => {}
            }
        }
        Ok(Loaded { machine, row })
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, event: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("event {event}: {error}")))
}
