//! `noetl run`: runs a playbook in this process or on a server.

pub(super) mod host;
pub(super) mod local;
pub(super) mod progress;
mod reference;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::ValueEnum as _;
use noetl_api::execution::ExecuteRequest;
use noetl_help::Help as _;

use self::reference::Reference;
use super::status::watch::View;
use super::{execute, logs, register};
use crate::cli::client::RootArgs;
use crate::cli::run::{RunArgs, Runtime};
use crate::client::Client;
use crate::client::remote::Remote;
use crate::config::context_file::ContextFile;
use crate::payload;

pub(super) fn run(args: &RunArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (reference, implied_target) = reference::find(args.reference.as_deref())?;
    let target = args
        .target
        .clone()
        .or_else(|| args.step.clone())
        .or(implied_target);
    match (&reference, runtime(args)) {
        (Reference::File(path), Runtime::Local | Runtime::Auto) => {
            local::run(args, root, path, target.as_deref())
        }
        (Reference::File(path), Runtime::Distributed) if args.dry_run => {
            local::run(args, root, path, target.as_deref())
        }
        (Reference::Catalog { .. }, Runtime::Local) => {
            Err(anyhow!("there is no file `{reference}`")
                .help("name a file, or leave out --runtime local to run it on the server"))
        }
        (Reference::File(path), Runtime::Distributed) => {
            // A server runs playbooks of its catalog, so the file is registered first.
            let client = connect(args, root)?;
            let registered = register::playbook(&client, path)?;
            let version = Some(registered.version);
            start(&client, args, &registered.path, version, target)
        }
        (Reference::Catalog { path, version }, Runtime::Distributed | Runtime::Auto) => {
            let client = connect(args, root)?;
            start(&client, args, path, args.version.or(*version), target)
        }
    }
}

fn connect(args: &RunArgs, root: &RootArgs) -> anyhow::Result<Client> {
    let mut remote = args.remote.or(root);
    remote.server_url = args.endpoint.clone().or(remote.server_url);
    Client::new(Remote::find(&remote)?)
}

fn start(
    client: &Client,
    args: &RunArgs,
    path: &str,
    version: Option<i64>,
    target: Option<String>,
) -> anyhow::Result<ExitCode> {
    if args.dry_run {
        return Err(
            anyhow!("--dry-run validates files, and `{path}` is in the catalog").help(format!(
                "`noetl catalog get {path}` prints the playbook; or name a file"
            )),
        );
    }
    let input = payload::read(&args.payload)?;
    let request = ExecuteRequest {
        path: Some(path.to_owned()),
        version: version.map(Into::into),
        payload: Some(input.guessed()),
        set: input.set,
        target,
        ..ExecuteRequest::default()
    };
    let file = args.logs.as_deref().map(logs::create).transpose()?;
    let started = execute::start(client, path, &request)?;
    let view = View::new(args.json, false);
    let follows = args.verbose || file.is_some();
    let code = execute::follow(client, &started, follows, view)?;
    if let Some(file) = file {
        logs::save(client, &started.execution_id, file)?;
    }
    Ok(code)
}

/// Returns the flag, else the runtime of the current context, else `auto`.
fn runtime(args: &RunArgs) -> Runtime {
    args.runtime.unwrap_or_else(|| {
        let context = ContextFile::read().ok().and_then(|file| file.current());
        context
            .and_then(|context| Runtime::from_str(&context.runtime, false).ok())
            .unwrap_or(Runtime::Auto)
    })
}
