//! One module per command; this one only dispatches.

mod server;
mod version;

use std::process::ExitCode;

use crate::cli::{Command, ServerCommand};

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Server(ServerCommand::Start(args)) if args.detach => server::detach::run(&args),
        Command::Server(ServerCommand::Start(args)) => server::start::run(&args),
        Command::Server(ServerCommand::Stop(args)) => server::stop::run(&args),
        Command::Server(ServerCommand::Status(args)) => server::status::run(&args),
        Command::Version(args) => version::run(&args),
    }
}
