//! `noetl execute …`: starts playbooks of the server's catalog.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::rejected;
use super::status::{self, request, watch};
use crate::cli::client::RootArgs;
use crate::cli::execute::{ExecuteCommand, ExecutePlaybookArgs, RerunArgs};
use crate::client::{Client, encode};
use crate::{output, payload};

pub(super) fn run(command: &ExecuteCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    match command {
        ExecuteCommand::Playbook(args) => playbook(args, root),
        ExecuteCommand::Status(args) => status::run(args, root),
        ExecuteCommand::Rerun(args) => rerun(args, root),
    }
}

fn playbook(args: &ExecutePlaybookArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let payload = payload::merge(&args.payload)?;
    let client = Client::open(root, &args.client)?;
    let started = start(&client, &args.path, args.version, payload, None)?;
    follow(&client, &started, args.watch, args.client.json)
}

/// Starts a playbook of the catalog, at the step `target` or at its beginning. The answer has the id of the
/// execution.
pub(super) fn start(
    client: &Client,
    path: &str,
    version: Option<u64>,
    payload: Map<String, Value>,
    target: Option<String>,
) -> anyhow::Result<Value> {
    let mut request = json!({"path": path, "payload": payload});
    if let Some(target) = target {
        request["target"] = target.into();
    }
    if let Some(version) = version {
        request["version"] = version.into();
    }
    client.post("/api/execute", &request).map_err(|error| {
        let error = error.help_if_not_found(
            "`noetl catalog list` lists the playbooks, `noetl register playbook --file FILE` registers one",
        );
        rejected::report(error, None, &format!("{path} cannot be executed"))
    })
}

fn rerun(args: &RerunArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let path = format!("/api/executions/{}/rerun", encode(&args.id));
    let started = client
        .post(&path, &json!({}))
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    follow(&client, &started, args.watch, args.client.json)
}

/// Prints what was started. With `watch`, follows it until it ends.
pub(super) fn follow(
    client: &Client,
    started: &Value,
    watch: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let id = output::cell(&started["execution_id"]);
    if !json {
        output::text(&format!(
            "execution {id} started: {}, version {}",
            output::cell(&started["path"]),
            output::cell(&started["version"])
        ))?;
    }
    if watch {
        return watch::run(client, &id, json);
    }
    if json {
        output::json(started)?;
    } else {
        note!("follow it with `noetl status {id} --watch`");
    }
    Ok(ExitCode::SUCCESS)
}
