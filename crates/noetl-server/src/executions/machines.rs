//! Machines that stay in memory between two changes of their execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use noetl_engine::execution::Machine;

use crate::store::ExecutionRow;

/// How many are kept; beyond that those that are not in use are restored when they are needed.
const CAPACITY: usize = 2_000;

/// A machine, and the row of its execution as the machine's last change left it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) machine: Machine,
    pub(super) row: ExecutionRow,
}

/// Where the machine of an execution is kept. Its lock is held during a change.
pub(super) type Place = Arc<tokio::sync::Mutex<Option<Loaded>>>;

/// Machines by execution.
#[derive(Debug, Default)]
pub(super) struct Machines(Mutex<HashMap<i64, Place>>);

impl Machines {
    pub(super) fn place(&self, execution_id: i64) -> Place {
        let mut places = self.places();
        if places.len() >= CAPACITY {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(execution_id).or_default())
    }

    pub(super) fn forget(&self, execution_id: i64) {
        self.places().remove(&execution_id);
    }

    fn places(&self) -> MutexGuard<'_, HashMap<i64, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
