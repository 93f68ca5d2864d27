//! `noetl man`: the manual page of the command, or of one of its subcommands.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::cli::machine::ManArgs;
use crate::error::WithHelp as _;
use crate::output;

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // Built, so that each subcommand knows its whole name.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    for name in &args.command {
        command = command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| anyhow!("no such command: noetl {}", args.command.join(" ")))
            .help("noetl --help")?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .source(concat!("noetl ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .context("cannot write the page")?;
    output::bytes(&page)?;
    Ok(ExitCode::SUCCESS)
}
