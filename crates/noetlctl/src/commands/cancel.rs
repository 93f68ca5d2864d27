//! `noetl cancel`: cancels an execution and, without --no-cascade, the executions that it started.

use std::process::ExitCode;

use noetl_api::cancel::{CancelAnswer, CancelRequest, CancelStatus};

use super::status::request;
use crate::cli::client::RootArgs;
use crate::cli::execute::CancelArgs;
use crate::client::{Client, encode};
use crate::output;

pub(super) fn run(args: &CancelArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let request = CancelRequest {
        reason: args.reason.clone(),
        cascade: Some(!args.no_cascade),
    };
    let answer: CancelAnswer = client
        .post(
            &format!("/api/executions/{}/cancel", encode(&args.id)),
            &request,
        )
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let others = answer.cancelled_executions.len().saturating_sub(1);
    output::text(&match (answer.status, others) {
        (CancelStatus::AlreadyCompleted, _) => {
            format!("execution {} had already ended", args.id)
        }
        (CancelStatus::Cancelled, 0) => format!("execution {} cancelled", args.id),
        (CancelStatus::Cancelled, others) => {
            format!(
                "execution {} cancelled, and {others} that it started",
                args.id
            )
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
