//! What a worker's loop asks of the place that its commands come from.

use std::fmt::Display;

use noetl_engine::Host;
use noetl_engine::execution::{Command, Outcome};

use super::slots::{LentSlot, Slot, Slots};

/// Where a worker's commands come from and where their outcomes go.
pub trait Source: Send + Sync + 'static {
    /// Why a request failed; the loop tries again.
    type Error: Display + Send;
    /// What the tools of a command may ask for.
    type Host: Host + 'static;

    /// Claims commands, as many as there are free slots, and may wait a while for the first one. `held` are
    /// the commands that the worker holds already.
    fn claim(
        &self,
        slots: &Slots,
        held: &[String],
    ) -> impl Future<Output = Result<Vec<Claim>, Self::Error>> + Send;

    /// Renews the leases of commands. Returns those that the worker no longer holds.
    fn heartbeat(
        &self,
        held: Vec<String>,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// Reports the outcome of a command.
    fn report(
        &self,
        command: &Command,
        outcome: &Outcome,
    ) -> impl Future<Output = Result<Report, Self::Error>> + Send;

    /// The host of a command that is about to run.
    fn host(&self, command: &Command, slot: LentSlot) -> Self::Host;

    /// Is told that a command has ended, before its outcome is reported.
    fn ended(&self, _command: &Command, _outcome: &Outcome) {}
}

/// A claimed command.
#[derive(Debug)]
pub struct Claim {
    /// The command.
    pub command: Command,
    /// The slot that it runs in; without one it waits for the next that is free.
    pub slot: Option<Slot>,
}

/// What became of a reported outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It is kept.
    Kept,
    /// The command was cancelled, or another worker holds it.
    TooLate,
    /// It cannot be kept as it is, and why.
    Refused(String),
}
