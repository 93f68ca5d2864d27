//! `noetl server …`: starts, stops and checks a server.

mod check;
mod detach;
mod log_file;
mod logs;
mod start;
mod status;
mod stop;
mod summary;

use std::process::ExitCode;

use crate::cli::client::RootArgs;
use crate::cli::server::ServerCommand;

pub(super) fn run(command: ServerCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    match command {
        ServerCommand::Start(mut args) => {
            args.listen = args.listen.or(root);
            if args.detach {
                detach::run(&args)
            } else {
                start::run(&args)
            }
        }
        ServerCommand::Stop(args) => stop::run(&args),
        ServerCommand::Status(mut args) => {
            args.listen = args.listen.or(root);
            status::run(&args)
        }
        ServerCommand::Check(args) => check::run(&args, root),
        ServerCommand::Logs(args) => logs::run(&args),
    }
}
