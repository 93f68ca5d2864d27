//! `noetl completions`: prints a shell completion script.

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::output;

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "noetl", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
