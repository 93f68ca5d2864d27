//! The interface between a worker's loop and the place where its commands come from.

use std::fmt::Display;

use noetl_api::log::AttemptLog;
use noetl_engine::Host;
use noetl_engine::execution::{Command, Outcome};

use super::logs::LogSink;
use super::slots::{LentSlot, Slot, Slots};

/// Where a worker's commands come from and where their outcomes go.
pub trait Source: Send + Sync + 'static {
    /// Why a request failed; the loop tries again.
    type Error: Display + Send;
    /// Gives credentials and sub-playbooks to the tools of a command.
    type Host: Host + 'static;

    /// Claims as many commands as there are free slots, and may wait a while for the first one. `held` are the
    /// commands that the worker holds already.
    fn claim(
        &self,
        slots: &Slots,
        held: &[String],
    ) -> impl Future<Output = Result<Vec<Claim>, Self::Error>> + Send;

    /// Renews the leases of commands, and returns those that the worker no longer holds.
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

    /// Returns the host of a command that is about to run. What the command prints goes to `log`.
    fn host(&self, command: &Command, slot: LentSlot, log: LogSink) -> Self::Host;

    /// Keeps what commands have printed. A batch that is sent again, because this failed, is kept once.
    fn log(&self, batches: &[AttemptLog]) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Called when a command has ended, before its outcome is reported.
    fn ended(&self, _command: &Command, _outcome: &Outcome) {}
}

/// A claimed command.
#[derive(Debug)]
pub struct Claim {
    /// The command.
    pub command: Command,
    /// The slot that it runs in; without one it waits for a free slot.
    pub slot: Option<Slot>,
}

/// The result of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It is kept.
    Kept,
    /// The command was cancelled, or another worker holds it.
    TooLate,
    /// It cannot be kept as it is, for this reason.
    Refused(String),
}
