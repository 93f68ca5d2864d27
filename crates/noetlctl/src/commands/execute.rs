//! `noetl execute …`: starts playbooks that the server has registered.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::status;
use crate::cli::client::RootArgs;
use crate::cli::execute::{ExecuteCommand, ExecutePlaybookArgs, RerunArgs};
use crate::client::{Client, encode};
use crate::{output, payload, problems};

pub(crate) fn run(command: &ExecuteCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    match command {
        ExecuteCommand::Playbook(args) => playbook(args, root),
        ExecuteCommand::Status(args) => status::run(args, root),
        ExecuteCommand::Rerun(args) => rerun(args, root),
    }
}

fn playbook(args: &ExecutePlaybookArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let payload = payload::merge(&args.payload)?;
    let client = Client::open(root, &args.client)?;
    let started = start(&client, &args.path, args.version, payload)?;
    follow(&client, &started, args.watch, args.client.json)
}

/// Starts a playbook of the catalog; the answer has the execution's id.
pub(crate) fn start(
    client: &Client,
    path: &str,
    version: Option<u64>,
    payload: Map<String, Value>,
) -> anyhow::Result<Value> {
    start_at(client, path, version, payload, None)
}

/// As [`start`], beginning at a step.
pub(crate) fn start_at(
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
    client.post("/api/execute", &request).map_err(|mut error| {
        if error.status == Some(404) {
            let help = "`noetl catalog list` shows what is registered, `noetl register playbook --file FILE` adds to it";
            error.help.get_or_insert(help.to_owned());
        }
        problems::explain(error, None, &format!("{path} cannot be executed"))
    })
}

fn rerun(args: &RerunArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let path = format!("/api/executions/{}/rerun", encode(&args.id));
    let started = client
        .post(&path, &json!({}))
        .map_err(|error| status::unknown(error, &args.id))?;
    follow(&client, &started, args.watch, args.client.json)
}

/// Says what was started; with `watch`, stays until it ends.
pub(crate) fn follow(
    client: &Client,
    started: &Value,
    watch: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let id = output::word(&started["execution_id"]);
    if !json {
        output::text(&format!(
            "execution {id} started: {}, version {}",
            output::word(&started["path"]),
            output::word(&started["version"])
        ))?;
    }
    if watch {
        return status::watch(client, &id, json);
    }
    if json {
        output::json(started)?;
    } else {
        note!("follow it with `noetl status {id} --watch`");
    }
    Ok(ExitCode::SUCCESS)
}
