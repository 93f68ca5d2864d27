//! Slots: how many commands a worker runs at once.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// The slots of a worker. Clones share them.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

/// Room for one command; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// As many slots as commands may run at once.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// Takes one, if one is free.
    pub fn try_take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Waits for one and takes it; none once the slots are closed.
    pub async fn take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Slot { _permit: permit })
    }

    /// Waits until one is free without taking it. False once the slots are closed.
    pub async fn wait_for_one(&self) -> bool {
        self.0.acquire().await.is_ok()
    }

    /// Lets nobody take one any more.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether they are closed.
    pub fn are_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Lets a command use a slot.
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
    /// Frees the slot while `future` waits for other commands, so that a command never keeps those that it
    /// waits for from running.
    pub async fn free_during<T>(&self, future: impl Future<Output = T>) -> T {
        drop(self.slot.lock().await.take());
        let output = future.await;
        *self.slot.lock().await = self.slots.take().await;
        output
    }
}
