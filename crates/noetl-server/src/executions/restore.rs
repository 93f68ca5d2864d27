//! Restores the machine of an execution from its log.

use std::collections::VecDeque;

use noetl_engine::execution::{Machine, Outcome, event_name};
use sqlx::AnyConnection;

use super::error::RunError;
use super::machines::Loaded;
use super::playbooks::Playbooks;
use super::write::VARIABLES_SET;
use crate::store::{Column, EventRow, ExecutionRow, Store, StoreError};

/// Feeds the recorded inputs of an execution to a new machine.
pub(super) async fn restore(
    connection: &mut AnyConnection,
    playbooks: &Playbooks,
    row: ExecutionRow,
) -> Result<Loaded, RunError> {
    let entry = Store::entry_by_id_in(connection, row.catalog_id).await?;
    let entry = entry.ok_or_else(|| RunError::NoPlaybook(row.path.clone()))?;
    let playbook = playbooks.get(&entry)?;
    let payload = Store::payload(connection, row.execution_id).await?;
    let (id, shown_id) = (row.execution_id.to_string(), row.shown_id().to_string());
    let mut machine = Machine::retrying(playbook, &id, &shown_id, &payload);
    machine.start(row.target.as_deref());
    let (mut bytes, mut after) = (0, 0);
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            waiting.extend(Store::inputs(connection, row.execution_id, after).await?);
        }
        let Some(event) = waiting.pop_front() else {
            break;
        };
        after = event.event_id;
        let command_id = event.node_id.as_deref().unwrap_or_default();
        match event.event_type.as_str() {
            event_name::COMMAND_CLAIMED => {
                machine.claimed(command_id, "");
            }
            VARIABLES_SET => {
                let variables = event.whole(connection, Column::Meta).await?;
                let variables = variables.unwrap_or_default();
                bytes += variables.len();
                machine.set_variables(&parse(&variables, &event.event_type)?);
            }
            _ => {
                let (outcome, read) = recorded_outcome(connection, &event).await?;
                bytes += read;
                machine.complete(command_id, outcome).map_err(|error| {
                    StoreError::corrupt(format!("event {}", event.event_id), error)
                })?;
            }
        }
    }
    Ok(Loaded {
        machine,
        row,
        bytes,
    })
}

/// Returns the outcome that an event of [`Store::inputs`] tells, and the bytes that it has in the store.
pub(super) async fn recorded_outcome(
    connection: &mut AnyConnection,
    event: &EventRow,
) -> Result<(Outcome, usize), StoreError> {
    let meta = event.whole(connection, Column::Meta).await?;
    let meta = meta.unwrap_or_default();
    let mut bytes = meta.len();
    let mut outcome: Outcome = parse(&meta, &event.event_type)?;
    if let Some(error) = &event.error {
        outcome.error = Some(parse(error, &event.event_type)?);
    } else if let Some(result) = event.whole(connection, Column::Result).await? {
        bytes += result.len();
        outcome.result = parse(&result, &event.event_type)?;
    }
    Ok((outcome, bytes))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, event: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::corrupt(format!("an event {event}"), error))
}
