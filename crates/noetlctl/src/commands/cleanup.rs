//! `noetl cleanup`: cancels executions that have been running for too long, or deletes those that ended long ago.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;
use noetl_api::cancel::{CleanupAnswer, CleanupRequest, ExpireAnswer, ExpireRequest};
use noetl_help::Help as _;

use crate::cli::client::RootArgs;
use crate::cli::execute::CleanupArgs;
use crate::client::Client;
use crate::output;

pub(super) fn run(args: &CleanupArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    match args.ended_days {
        Some(days) => delete(&client, days, args),
        None => cancel(&client, args),
    }
}

fn cancel(client: &Client, args: &CleanupArgs) -> anyhow::Result<ExitCode> {
    let age = format!("older than {} min", args.older_than_minutes);
    let ask_server = |dry_run: bool| -> anyhow::Result<CleanupAnswer> {
        let request = CleanupRequest {
            older_than_minutes: Some(args.older_than_minutes),
            dry_run: Some(dry_run),
        };
        Ok(client.post("/api/executions/cleanup", &request)?)
    };
    let count = |answer: &CleanupAnswer| counted(answer.execution_ids.len(), &age);
    let (answer, is_done) = confirmed(args, "cancel", ask_server, |answer| {
        (answer.execution_ids.len(), count(answer))
    })?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ids = &answer.execution_ids;
    let lines: Vec<String> = ids.iter().map(|id| output::cell(id.as_str())).collect();
    output::text(&lines.join("\n"))?;
    note!("{} {}", count(&answer), done("cancelled", is_done));
    Ok(ExitCode::SUCCESS)
}

fn delete(client: &Client, days: u16, args: &CleanupArgs) -> anyhow::Result<ExitCode> {
    let age = format!("that ended more than {days} days ago");
    let ask_server = |dry_run: bool| -> anyhow::Result<ExpireAnswer> {
        let request = ExpireRequest {
            older_than_days: days,
            dry_run: Some(dry_run),
        };
        Ok(client.post("/api/executions/expire", &request)?)
    };
    let count = |answer: &ExpireAnswer| counted(answer.deleted_count, &age);
    let (answer, is_done) = confirmed(args, "delete", ask_server, |answer| {
        (answer.deleted_count, count(answer))
    })?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    note!("{} {}", count(&answer), done("deleted", is_done));
    Ok(ExitCode::SUCCESS)
}

fn done(verb: &str, is_done: bool) -> String {
    let would = if is_done { "" } else { "would be " };
    format!("{would}{verb}")
}

fn counted(count: usize, age: &str) -> String {
    let executions = if count == 1 {
        "execution"
    } else {
        "executions"
    };
    format!("{count} {executions} {age}")
}

/// Sends the request, after a question unless the arguments answer it. `ask_server` gets whether nothing is to be changed,
/// and `count` returns the number of executions in an answer, as a number and in words. Returns the last answer, and
/// whether it was done.
fn confirmed<T>(
    args: &CleanupArgs,
    verb: &str,
    ask_server: impl Fn(bool) -> anyhow::Result<T>,
    count: impl Fn(&T) -> (usize, String),
) -> anyhow::Result<(T, bool)> {
    if args.dry_run || args.yes {
        return Ok((ask_server(args.dry_run)?, !args.dry_run));
    }
    let found = ask_server(true)?;
    let (number, counted) = count(&found);
    if number > 0 && !is_wanted(verb, &counted)? {
        return Ok((found, false));
    }
    Ok((ask_server(false)?, true))
}

/// Asks on the terminal whether executions are to be cancelled or deleted.
fn is_wanted(verb: &str, counted: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let error = anyhow!("there are {counted}, and there is no terminal to ask on");
        return Err(error)
            .help("say that you mean it: add `--yes`; `noetl cleanup --dry-run` changes nothing");
    }
    let mut stderr = io::stderr();
    let (first, rest) = verb.split_at(1);
    write!(stderr, "{}{rest} {counted}? [y/N] ", first.to_uppercase())?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
