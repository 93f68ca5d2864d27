//! The orders of the server's own worker.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::worker::{Claim, Slot, Slots};

/// An order to the server's own worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Run a command, which is claimed already.
    Run(Box<Claim>),
    /// Stop a command, whose outcome is no longer needed.
    Stop(String),
}

/// Sends orders to the server's own worker. A command for which the worker has a slot is claimed in the
/// transaction that issues it, which saves a second transaction.
#[derive(Debug)]
pub(crate) struct LocalQueue {
    worker_id: String,
    slots: Slots,
    orders: UnboundedSender<Order>,
}

impl LocalQueue {
    /// Returns a queue for a worker of that name, and the receiver of its orders.
    pub(crate) fn new(worker_id: String, slots: Slots) -> (Self, UnboundedReceiver<Order>) {
        let (orders, received) = unbounded_channel();
        let queue = Self {
            worker_id,
            slots,
            orders,
        };
        (queue, received)
    }

    /// The worker's name in leases.
    pub(super) fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// Takes a slot of the worker, if one is free.
    pub(super) fn slot(&self) -> Option<Slot> {
        self.slots.try_take()
    }

    /// Whether the worker has stopped, as it does when the server stops.
    pub(super) fn is_closed(&self) -> bool {
        self.slots.are_closed()
    }

    /// Gives the worker an order.
    pub(super) fn send(&self, order: Order) {
        // Sending fails when the worker has stopped, and its commands are given back then.
        drop(self.orders.send(order));
    }
}
