//! Commands that go straight to this server's own worker.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::worker::{Claim, Slot, Slots};

/// What the server's own worker is to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Run a command that is claimed for it.
    Run(Box<Claim>),
    /// Stop a command whose outcome is no longer wanted.
    Stop(String),
}

/// The way to the server's own worker: a command that it has a slot for is claimed in the transaction that
/// issues it, which saves a second one.
#[derive(Debug)]
pub(crate) struct LocalQueue {
    worker_id: String,
    slots: Slots,
    orders: UnboundedSender<Order>,
}

impl LocalQueue {
    /// A queue for a worker of that name, and the end at which the worker takes its orders.
    pub(crate) fn new(worker_id: String, slots: Slots) -> (Self, UnboundedReceiver<Order>) {
        let (orders, received) = unbounded_channel();
        let queue = Self {
            worker_id,
            slots,
            orders,
        };
        (queue, received)
    }

    /// The name of the worker in leases.
    pub(super) fn worker_id(&self) -> &str {
        &self.worker_id
    }

    /// A slot for one more command, if the worker has one.
    pub(super) fn slot(&self) -> Option<Slot> {
        self.slots.try_take()
    }

    /// Whether the worker has stopped, and with it the server.
    pub(super) fn is_closed(&self) -> bool {
        self.slots.are_closed()
    }

    /// Gives the worker an order.
    pub(super) fn send(&self, order: Order) {
        // It fails when the worker has stopped; its claims are given back then.
        drop(self.orders.send(order));
    }
}
