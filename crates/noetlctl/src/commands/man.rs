//! `noetl man`: prints the manual page of noetl or of one of its commands, or writes all pages.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Command, CommandFactory as _};
use noetl_help::Help as _;

use crate::cli::{Cli, ManArgs};
use crate::output;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // After `build` each subcommand knows its full name, such as `noetl-execute-playbook`.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    if let Some(folder) = &args.dir {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        write_all(&command, folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.command {
        command = command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| anyhow!("no such command: noetl {}", args.command.join(" ")))
            .help("noetl --help")?;
    }
    output::bytes(&page(&command)?)?;
    Ok(ExitCode::SUCCESS)
}

fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .source(concat!("noetl ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .context("cannot write the page")?;
    Ok(page)
}

/// Writes the page of a command, and those of the commands below it.
fn write_all(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    let mut below = command.get_subcommands().filter(|it| !it.is_hide_set());
    below.try_for_each(|command| write_all(command, folder))
}
