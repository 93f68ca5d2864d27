//! A cache of machines, for the next change of their execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use noetl_engine::execution::Machine;

use crate::store::ExecutionRow;

/// How many machines are kept. Beyond that, those that are not in use are dropped.
const CAPACITY: usize = 2_000;

/// A machine, and its execution's row after the machine's last change.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) machine: Machine,
    pub(super) row: ExecutionRow,
}

/// The machine of an execution, if it is in memory. The lock is held during a change.
pub(super) type Entry = Arc<tokio::sync::Mutex<Option<Loaded>>>;

/// Machines by execution.
#[derive(Debug, Default)]
pub(super) struct Machines(Mutex<HashMap<i64, Entry>>);

impl Machines {
    pub(super) fn entry(&self, execution_id: i64) -> Entry {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY {
            entries.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        Arc::clone(entries.entry(execution_id).or_default())
    }

    pub(super) fn forget(&self, execution_id: i64) {
        self.entries().remove(&execution_id);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<i64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
