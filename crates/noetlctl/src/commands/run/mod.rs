//! `noetl run`: a playbook in this process, or one of the catalog on a server.

mod host;
mod local;
mod progress;
mod reference;

use std::process::ExitCode;

use anyhow::anyhow;

pub(crate) use self::host::machine;
use self::reference::Reference;
use super::execute;
use crate::cli::client::RootArgs;
use crate::cli::run::{RunArgs, Runtime};
use crate::client::Client;
use crate::context_file::ContextFile;
use crate::error::WithHelp as _;
use crate::payload;
use crate::remote::Remote;

pub(crate) fn run(args: &RunArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (reference, implied) = reference::find(args.reference.as_deref())?;
    let target = args
        .target
        .clone()
        .or_else(|| args.step.clone())
        .or(implied);
    match (&reference, runtime(args)) {
        (Reference::File(path), Runtime::Local | Runtime::Auto) => {
            local::run(args, root, path, target.as_deref())
        }
        (Reference::Catalog { .. }, Runtime::Local) => {
            Err(anyhow!("`{reference}` is no file here"))
                .help("name a file, or leave --runtime local away to run it on the server")
        }
        (Reference::File(path), Runtime::Distributed) => {
            // The server runs what is in its catalog, so the file goes there first.
            let client = open(args, root)?;
            let registered = super::register::playbook(&client, path)?;
            let path = registered["path"].as_str().unwrap_or_default().to_owned();
            start(&client, args, &path, registered["version"].as_u64(), target)
        }
        (Reference::Catalog { path, version }, Runtime::Distributed | Runtime::Auto) => {
            let client = open(args, root)?;
            start(&client, args, path, args.version.or(*version), target)
        }
    }
}

fn open(args: &RunArgs, root: &RootArgs) -> anyhow::Result<Client> {
    let mut remote = args.remote.or(root);
    remote.server_url = args.endpoint.clone().or(remote.server_url);
    Client::new(Remote::find(&remote)?)
}

fn start(
    client: &Client,
    args: &RunArgs,
    path: &str,
    version: Option<u64>,
    target: Option<String>,
) -> anyhow::Result<ExitCode> {
    if args.dry_run {
        return Err(anyhow!(
            "--dry-run validates files, and `{path}` is in the catalog"
        ))
        .help(format!(
            "`noetl catalog get {path}` prints it; or run a file"
        ));
    }
    let payload = payload::merge(&args.payload)?;
    let started = execute::start_at(client, path, version, payload, target)?;
    execute::follow(client, &started, args.verbose, args.json)
}

/// The flag, else what the current context says, else `auto`.
fn runtime(args: &RunArgs) -> Runtime {
    args.runtime.unwrap_or_else(|| {
        let context = ContextFile::read().ok().and_then(|file| file.current());
        match context.map(|context| context.runtime).as_deref() {
            Some("local") => Runtime::Local,
            Some("distributed") => Runtime::Distributed,
            _ => Runtime::Auto,
        }
    })
}
