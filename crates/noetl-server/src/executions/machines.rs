//! A cache of machines, for the next change of their execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use noetl_engine::execution::Machine;

use crate::store::ExecutionRow;

/// How many machines are kept. Beyond that, those that are not in use are dropped.
const CAPACITY: usize = 2_000;
/// How many bytes of JSON the kept machines have taken, as far as they are known; beyond that, the same happens.
const CAPACITY_BYTES: usize = 256 << 20;

/// A machine, and its execution's row after the machine's last change.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) machine: Machine,
    pub(super) row: ExecutionRow,
    /// The bytes of JSON that it was given.
    pub(super) bytes: usize,
}

/// The machine of an execution, if it is in memory. The lock is held during a change.
pub(super) type Entry = Arc<tokio::sync::Mutex<Option<Loaded>>>;

/// Machines by execution.
#[derive(Debug, Default)]
pub(super) struct Machines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Each with the bytes that it was given.
    entries: HashMap<i64, (Entry, usize)>,
    bytes: usize,
}

impl Kept {
    /// Drops machines that are not in use when there are too many.
    fn shrink(&mut self) {
        if self.entries.len() >= CAPACITY || self.bytes > CAPACITY_BYTES {
            self.entries
                .retain(|_, (entry, _)| Arc::strong_count(entry) > 1);
            self.bytes = self.entries.values().map(|(_, bytes)| bytes).sum();
        }
    }
}

impl Machines {
    pub(super) fn entry(&self, execution_id: i64) -> Entry {
        let mut kept = self.kept();
        // In use from here, so that it is not dropped: a large machine would be restored for each of its changes.
        let entry = Arc::clone(&kept.entries.entry(execution_id).or_default().0);
        kept.shrink();
        entry
    }

    /// Notes how many bytes of JSON the machine of an execution was given.
    pub(super) fn weigh(&self, execution_id: i64, bytes: usize) {
        let mut kept = self.kept();
        if let Some((_, known)) = kept.entries.get_mut(&execution_id) {
            let before = std::mem::replace(known, bytes);
            kept.bytes = kept.bytes + bytes - before;
        }
    }

    pub(super) fn forget(&self, execution_id: i64) {
        let mut kept = self.kept();
        if let Some((_, bytes)) = kept.entries.remove(&execution_id) {
            kept.bytes -= bytes;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_that_are_not_in_use_are_dropped_when_they_are_large() {
        let machines = Machines::default();
        let used = machines.entry(1);
        for id in 1..=3 {
            drop(machines.entry(id));
            machines.weigh(id, CAPACITY_BYTES / 3);
        }
        assert_eq!(machines.kept().entries.len(), 3);
        machines.weigh(3, CAPACITY_BYTES / 2);
        drop(machines.entry(3));
        assert!(machines.kept().entries.contains_key(&3), "it is asked for");
        machines.weigh(3, CAPACITY_BYTES);
        drop(machines.entry(4));
        let kept = machines.kept();
        let mut ids: Vec<_> = kept.entries.keys().copied().collect();
        ids.sort_unstable();
        assert_eq!((ids, kept.bytes), (vec![1, 4], CAPACITY_BYTES / 3));
        drop(kept);
        machines.forget(1);
        assert_eq!(machines.kept().bytes, 0);
        drop(used);
    }
}
