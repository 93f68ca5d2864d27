//! `noetl completions`: the script that completes this command in a shell.

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::cli::machine::CompletionsArgs;
use crate::output;

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "noetl", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
