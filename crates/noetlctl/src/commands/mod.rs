//! The commands, one module for each.

mod build;
mod cancel;
mod catalog;
mod cleanup;
mod completions;
mod context;
mod credential;
mod db;
mod execute;
mod get;
mod guard_steps;
mod k8s;
mod list;
mod logs;
mod man;
mod openapi;
mod own;
mod query;
mod register;
mod rejected;
mod run;
mod schema;
mod server;
mod status;
mod validate;
mod version;
mod worker;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::config;

pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let root = &cli.root;
    if let Some(file) = &cli.env_file {
        config::read_named_file(file)?;
    }
    match cli.command {
        Command::Run(args) => run::run(&args, root),
        Command::Validate(args) => validate::run(&args, root),
        Command::Schema => schema::run(),
        Command::Server(command) => server::run(command, root),
        Command::Worker(command) => worker::run(&command, root),
        Command::Register(command) => register::run(&command, root),
        Command::Catalog(command) => catalog::run(&command, root),
        Command::Execute(command) => execute::run(&command, root),
        Command::Status(args) => status::run(&args, root),
        Command::Logs(args) => logs::run(&args, root),
        Command::Retry(args) => execute::retry(&args, root),
        Command::Cancel(args) => cancel::run(&args, root),
        Command::Cleanup(args) => cleanup::run(&args, root),
        Command::List(args) => list::run(&args, root),
        Command::Get(command) => get::run(&command, root),
        Command::Query(args) => query::run(&args, root),
        Command::Db(command) => db::run(&command, root),
        Command::Context(command) => context::run(&command),
        Command::K8s(command) => k8s::run(&command),
        Command::Build(args) => build::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Own(command) => own::run(&command),
        Command::Version(args) => version::run(&args),
        Command::Openapi => openapi::run(),
        Command::GuardSteps => guard_steps::run(),
    }
}
