//! `noetl execute …`: starts playbooks of the server's catalog.

use std::process::ExitCode;

use noetl_api::Version;
use noetl_api::execution::{ExecuteRequest, RerunRequest, RetryRequest, Started};

use super::rejected;
use super::status::watch::{self, View};
use super::status::{self, request};
use crate::cli::client::RootArgs;
use crate::cli::execute::{ExecuteCommand, ExecutePlaybookArgs, RerunArgs, RetryArgs};
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
    let input = payload::read(&args.payload)?;
    let request = ExecuteRequest {
        path: Some(args.path.clone()),
        version: args.version.map(Into::into),
        payload: Some(input.guessed()),
        set: input.set,
        ..ExecuteRequest::default()
    };
    let client = Client::open(root, &args.client)?;
    let started = start(&client, &args.path, &request)?;
    let view = View::new(args.client.json, args.verbose);
    follow(&client, &started, args.watch, view)
}

/// Starts an execution. `playbook` is the name of the playbook in errors.
pub(super) fn start(
    client: &Client,
    playbook: &str,
    request: &ExecuteRequest,
) -> anyhow::Result<Started> {
    client.post("/api/execute", request).map_err(|error| {
        let error = error.help_if_not_found(
            "`noetl catalog list` lists the playbooks, `noetl register playbook --file FILE` registers one",
        );
        rejected::report(error, None, &format!("{playbook} cannot be executed"))
    })
}

fn rerun(args: &RerunArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let path = format!("/api/executions/{}/rerun", encode(&args.id));
    let started: Started = client
        .post(&path, &RerunRequest::default())
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    let view = View::new(args.client.json, args.verbose);
    follow(&client, &started, args.watch, view)
}

pub(super) fn retry(args: &RetryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let path = format!("/api/executions/{}/retry", encode(&args.id));
    let version = args.version.clone().map(Version::Text);
    let started: Started = client
        .post(&path, &RetryRequest { version })
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    let view = View::new(args.client.json, args.verbose);
    follow(&client, &started, args.watch, view)
}

/// Prints what was started. With `watch`, follows it until it ends.
pub(super) fn follow(
    client: &Client,
    started: &Started,
    watch: bool,
    view: View,
) -> anyhow::Result<ExitCode> {
    let id = output::cell(started.execution_id.as_str());
    let json = view == View::Json;
    if !json {
        output::text(&format!(
            "execution {id} started: {}, version {}",
            output::cell(started.path.as_str()),
            started.version
        ))?;
    }
    if watch {
        return watch::run(client, &id, view);
    }
    if json {
        output::json(started)?;
    } else {
        note!("follow it with `noetl status {id} --watch`");
    }
    Ok(ExitCode::SUCCESS)
}
