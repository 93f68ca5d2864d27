//! `noetl server start`: the server in the foreground, also as process 1 of a container.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use noetl_api::server::StorageKind;
use noetl_help::Help as _;
use noetl_server::{BindError, Config, Server, StartError, StoreError, VaultError};

use super::summary::Summary;
use crate::cli::server::StartArgs;
use crate::client::url;
use crate::config;
use crate::config::server::{Listen, allowed_hosts, server_name, store_config, ui_source};
use crate::process::pid_file::{self, PidFile};
use crate::process::{limits, log, signals};
use crate::stamp;

pub(super) fn run(args: &StartArgs) -> anyhow::Result<ExitCode> {
    config::hide_secrets()?;
    log::to_stderr();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    runtime.block_on(serve(args))?;
    // The server has already waited for running steps; the rest must not delay the exit.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &StartArgs) -> anyhow::Result<()> {
    // Before the server binds its address, so that a signal during the start is not lost.
    let stop = signals::stop()?;
    #[cfg(unix)]
    signals::make_file_size_limit_an_error()?;
    let Listen { host, port } = Listen::new(&args.listen);
    let config = Config {
        host,
        port,
        ui: ui_source(args.no_ui),
        build: stamp::build(),
        name: server_name(),
        api_token: config::api_token(),
        max_workers: config::max_workers(args.max_workers),
        log_limit: config::log_limit(args.log_limit),
        retention: config::retention(args.retention_days),
        descriptors: limits::raise_descriptors(),
        tools: config::tool_environment(),
        store: store_config(args)?,
        allowed_hosts: allowed_hosts(args)?,
    };
    let summary = Summary::new(args, &config);
    for warning in config::doubtful_variables() {
        note!("warning: {warning}");
    }
    let server = bind(config).await?;
    let address = server.address();
    let url = url::of_listener(&address.ip().to_string(), address.port());
    // A foreground server has a pid file too, so that `noetl server stop` finds it from another terminal,
    // unless a background server has it already.
    let pid_file = match PidFile::create(pid_file::SERVER, &url) {
        Err(error) if args.detached => return Err(error),
        created => created.ok(),
    };
    let mut text = format!(
        "noetl server {} listening on http://{address}\n",
        env!("CARGO_PKG_VERSION")
    );
    text += &summary.lines(server.token_file());
    // The server also runs when its standard output is closed.
    drop(std::io::stdout().write_all(text.as_bytes()));
    server.run(stop).await;
    drop(pid_file);
    Ok(())
}

async fn bind(config: Config) -> anyhow::Result<Server> {
    Server::bind(config).await.map_err(|error| {
        let help = bind_help(&error);
        anyhow::Error::from(error).help(help)
    })
}

fn bind_help(error: &BindError) -> String {
    match error {
        BindError::Host { .. } => {
            "use an address of this machine, such as --host 127.0.0.1".to_owned()
        }
        BindError::InUse { address } => format!(
            "`noetl server status --port {}` shows whether NoETL uses it; else choose another, such as --port 0",
            address.port()
        ),
        BindError::Start(error) => start_help(error),
        BindError::Listen { .. } => {
            "use an address of this machine and a port that you may use, such as --host 127.0.0.1 --port 8082"
                .to_owned()
        }
    }
}

fn start_help(error: &StartError) -> String {
    match error {
        StartError::DataFolder { .. } => {
            "name a folder that you may write to with --data-dir".to_owned()
        }
        StartError::Taken { .. } => {
            "stop it with `noetl server stop`, or name another folder with --data-dir".to_owned()
        }
        StartError::Store {
            source: StoreError::Newer { .. },
            ..
        } => "start the NoETL that the store was last used with, or a later one".to_owned(),
        StartError::Store { source, .. } if let Some(cause) = source.cause() => {
            cause.help().to_owned()
        }
        StartError::Store {
            kind: StorageKind::Sqlite,
            ..
        } => {
            "name another folder with --data-dir".to_owned()
        }
        StartError::Store { .. } => {
            "check DATABASE_URL or POSTGRES_*; several servers on one database need the same NOETL_ENCRYPTION_KEY"
                .to_owned()
        }
        StartError::Secret(VaultError::File { path, .. }) => {
            format!("chmod 600 {}", path.display())
        }
        StartError::Secret(_) => {
            "create a key with `head -c 32 /dev/urandom | base64` and set NOETL_ENCRYPTION_KEY to it".to_owned()
        }
        StartError::OtherKey => {
            "set NOETL_ENCRYPTION_KEY to the key that this store was created with".to_owned()
        }
        StartError::NoKey { path } => format!(
            "copy the key that this store was created with to {}, or set NOETL_ENCRYPTION_KEY to it",
            path.display()
        ),
    }
}
