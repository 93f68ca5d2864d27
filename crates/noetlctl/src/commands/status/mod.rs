//! `noetl status`: an execution as it is, or as it goes on.

mod follow;
mod view;

use std::process::ExitCode;

use noetl_api::ExecutionStatus;
use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::execute::ExecutionStatusArgs;
use crate::client::error::Error;
use crate::client::{Client, encode};
use crate::output::{self, Screen};

pub(crate) fn run(args: &ExecutionStatusArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    if args.watch {
        return watch(&client, &args.id, args.client.json);
    }
    let answer = ask(&client, &args.id).map_err(|error| unknown(error, &args.id))?;
    show(&client, &answer, args.client.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Follows an execution to its end; exit code 1 unless it completes.
pub(super) fn watch(client: &Client, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let answer = follow::to_end(client, id, |event| {
        if json {
            return Ok(());
        }
        output::text(&view::event(event, Screen::stdout()))
    })?;
    show(client, &answer, json)?;
    Ok(match status(&answer) {
        Some(ExecutionStatus::Completed) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Where the execution of an answer stands.
fn status(answer: &Value) -> Option<ExecutionStatus> {
    answer["status"].as_str()?.parse().ok()
}

/// An error about an execution, with the way to find the right id.
pub(super) fn unknown(mut error: Error, id: &str) -> anyhow::Error {
    if error.status != Some(404) {
        return error.into();
    }
    error
        .help
        .get_or_insert("`noetl list Execution` shows the newest ones".to_owned());
    anyhow::Error::from(error).context(format!("no such execution: {id}"))
}

fn ask(client: &Client, id: &str) -> Result<Value, Error> {
    client.get(&format!("/api/executions/{}/status", encode(id)), &[])
}

fn show(client: &Client, answer: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(answer);
    }
    // The status has the error's text alone; its place is with the event that reported it.
    let place = (status(answer) == Some(ExecutionStatus::Failed))
        .then(|| failure(client, answer))
        .flatten();
    output::text(&view::status(answer, place.as_ref(), Screen::stdout()))
}

/// The newest error of an execution that has a place. Without one the view is as good as before.
fn failure(client: &Client, answer: &Value) -> Option<Value> {
    let id = answer["execution_id"].as_str()?;
    let page = client
        .get(
            &format!("/api/executions/{}", encode(id)),
            &[("page", "1"), ("page_size", "100")],
        )
        .ok()?;
    let errors = page["events"]
        .as_array()?
        .iter()
        .map(|event| &event["error"]);
    errors
        .into_iter()
        .find(|error| error["place"].is_object())
        .cloned()
}
