//! `noetl man`: prints the manual page of noetl or of one of its commands.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::CommandFactory as _;
use noetl_help::Help as _;

use crate::cli::{Cli, ManArgs};
use crate::output;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // After `build` each subcommand knows its full name, such as `noetl-execute-playbook`.
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
