//! The `noetl` command: parse, run, print what went wrong.

mod cli;
mod commands;
mod config;
mod error;
mod stamp;

use std::process::ExitCode;

use clap::Parser as _;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            error::print(&error);
            ExitCode::FAILURE
        }
    }
}
