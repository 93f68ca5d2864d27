//! Slots: how many commands a worker runs at once.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// The slots of a worker. Clones share them.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

/// A slot in use; it is free again when dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// Returns slots for that many commands at once.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// How many slots are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// Takes a slot, if one is free.
    pub fn try_take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Waits for a slot and takes it. Returns none when the slots are closed.
    pub async fn take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Slot { _permit: permit })
    }

    /// Waits until a slot is free, and does not take it. Returns false when the slots are closed.
    pub async fn wait_for_one(&self) -> bool {
        self.0.acquire().await.is_ok()
    }

    /// Ends all waiting; no slot can be taken afterwards.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether the slots are closed.
    pub fn are_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Assigns a slot to a command.
    pub(super) fn lend(&self, slot: Slot) -> LentSlot {
        LentSlot {
            slots: self.clone(),
            slot: Mutex::new(Some(slot)),
        }
    }
}

/// The slot of a command that runs.
#[derive(Debug)]
pub struct LentSlot {
    slots: Slots,
    slot: Mutex<Option<Slot>>,
}

impl LentSlot {
    /// Frees the slot while `future` waits for other commands, which may need it to run.
    pub async fn free_during<T>(&self, future: impl Future<Output = T>) -> T {
        drop(self.slot.lock().await.take());
        let output = future.await;
        *self.slot.lock().await = self.slots.take().await;
        output
    }
}
