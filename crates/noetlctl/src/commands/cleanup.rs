//! `noetl cleanup`: cancels executions that have been running for too long.

use std::process::ExitCode;

use noetl_api::cancel::{CleanupAnswer, CleanupRequest};

use crate::cli::client::RootArgs;
use crate::cli::execute::CleanupArgs;
use crate::client::Client;
use crate::output;

pub(super) fn run(args: &CleanupArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let request = CleanupRequest {
        older_than_minutes: Some(args.older_than_minutes),
        dry_run: Some(args.dry_run),
    };
    let answer: CleanupAnswer = client.post("/api/executions/cleanup", &request)?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ids = &answer.execution_ids;
    let lines: Vec<String> = ids.iter().map(|id| output::cell(id.as_str())).collect();
    output::text(&lines.join("\n"))?;
    let done = if args.dry_run {
        "would be cancelled"
    } else {
        "cancelled"
    };
    let executions = if ids.len() == 1 {
        "execution"
    } else {
        "executions"
    };
    note!(
        "{} {executions} older than {} min {done}",
        ids.len(),
        args.older_than_minutes
    );
    Ok(ExitCode::SUCCESS)
}
