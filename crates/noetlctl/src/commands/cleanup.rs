//! `noetl cleanup`: cancels executions that have been running for too long.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;
use noetl_api::cancel::{CleanupAnswer, CleanupRequest};
use noetl_help::Help as _;

use crate::cli::client::RootArgs;
use crate::cli::execute::CleanupArgs;
use crate::client::Client;
use crate::output;

pub(super) fn run(args: &CleanupArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let ask_server = |dry_run: bool| -> anyhow::Result<CleanupAnswer> {
        let request = CleanupRequest {
            older_than_minutes: Some(args.older_than_minutes),
            dry_run: Some(dry_run),
        };
        Ok(client.post("/api/executions/cleanup", &request)?)
    };
    let mut is_done = !args.dry_run;
    let answer = if args.dry_run || args.yes {
        ask_server(args.dry_run)?
    } else {
        let old = ask_server(true)?;
        is_done = is_wanted(&old, args)?;
        if is_done { ask_server(false)? } else { old }
    };
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ids = &answer.execution_ids;
    let lines: Vec<String> = ids.iter().map(|id| output::cell(id.as_str())).collect();
    output::text(&lines.join("\n"))?;
    let done = if is_done {
        "cancelled"
    } else {
        "would be cancelled"
    };
    note!("{} {done}", counted(ids.len(), args));
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, args: &CleanupArgs) -> String {
    let executions = if count == 1 {
        "execution"
    } else {
        "executions"
    };
    format!(
        "{count} {executions} older than {} min",
        args.older_than_minutes
    )
}

/// Asks on the terminal whether these executions are to be cancelled. Nothing is asked when there are none.
fn is_wanted(old: &CleanupAnswer, args: &CleanupArgs) -> anyhow::Result<bool> {
    let counted = counted(old.execution_ids.len(), args);
    if old.execution_ids.is_empty() {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(anyhow!(
            "{counted} would be cancelled, and there is no terminal to ask on"
        ))
        .help("say so: noetl cleanup --yes; `--dry-run` lists them");
    }
    let mut stderr = io::stderr();
    write!(stderr, "Cancel {counted}? [y/N] ")?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
