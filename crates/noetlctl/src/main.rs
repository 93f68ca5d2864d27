//! The `noetl` command: parses the arguments, runs the command, prints its error.

#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod note;

mod cli;
mod client;
mod commands;
mod config;
mod output;
mod payload;
mod process;
mod source_file;
mod stamp;

use std::process::ExitCode;

use clap::Parser as _;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        // `noetl list Execution | head` succeeds.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note::error(&error);
            ExitCode::FAILURE
        }
    }
}
