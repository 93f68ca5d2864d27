//! Executions: starting, changing and ending them.
//!
//! Every change of an execution is one transaction: its machine takes an input, and the resulting events and
//! commands are written together with the execution's row. A machine in memory is only a cache: when it is
//! behind the store, it is restored from the log.

mod at_once;
mod cancel;
mod claims;
mod error;
mod expiry;
mod local_queue;
mod logs;
mod machines;
mod playbooks;
mod progress;
mod repeats;
mod restore;
mod retry;
mod service;
mod start;
mod sub_playbooks;
#[cfg(test)]
mod tests;
mod variables;
mod write;

pub(crate) use error::RunError;
pub(crate) use local_queue::{LocalQueue, Order};
pub(crate) use service::Executions;
pub(crate) use start::{Start, Started};
