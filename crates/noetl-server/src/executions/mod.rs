//! Executions: their machines, kept in step with the store.
//!
//! Every change of an execution is one transaction: its machine takes an input, and the events and commands
//! that come of it are written together with the execution's row. A machine in memory is only a cache; one
//! that is behind the store is replaced by one that is restored from the log.

mod cancel;
mod claims;
mod error;
mod local_queue;
mod machines;
mod playbooks;
mod restore;
mod service;
mod sub_playbooks;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use error::RunError;
pub(crate) use local_queue::{LocalQueue, Order};
pub(crate) use service::{Executions, Start};
