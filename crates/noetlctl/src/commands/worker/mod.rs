//! `noetl worker`: runs the commands of a server on this machine.

mod ask;
mod host;
mod source;
mod start;
mod stop;

use std::process::ExitCode;

use crate::cli::client::RootArgs;
use crate::cli::worker::WorkerCommand;

pub(crate) fn run(command: &WorkerCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    match command {
        WorkerCommand::Start(args) => start::run(args, root),
        WorkerCommand::Stop(args) => stop::run(args),
    }
}
