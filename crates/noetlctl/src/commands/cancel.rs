//! `noetl cancel`: cancels an execution and, without --no-cascade, the executions that it started.

use std::process::ExitCode;

use serde_json::json;

use super::status::request;
use crate::cli::client::RootArgs;
use crate::cli::execute::CancelArgs;
use crate::client::{Client, encode};
use crate::output;

pub(super) fn run(args: &CancelArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let mut request = json!({"cascade": !args.no_cascade});
    if let Some(reason) = &args.reason {
        request["reason"] = reason.as_str().into();
    }
    let answer = client
        .post(
            &format!("/api/executions/{}/cancel", encode(&args.id)),
            &request,
        )
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cancelled = answer["cancelled_executions"]
        .as_array()
        .map_or(0, Vec::len);
    output::text(&match (answer["status"].as_str(), cancelled) {
        (Some("already_completed"), _) => format!("execution {} had already ended", args.id),
        (_, 0 | 1) => format!("execution {} cancelled", args.id),
        (_, count) => format!(
            "execution {} cancelled, and {} that it started",
            args.id,
            count - 1
        ),
    })?;
    Ok(ExitCode::SUCCESS)
}
