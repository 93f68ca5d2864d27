//! `noetl server start`: the server in the foreground, as PID 1 of a container as well.

use std::io::IsTerminal as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use noetl_api::server::StorageKind;
use noetl_server::{BindError, Config, Server, StartError, StoreError, VaultError};
use tracing_subscriber::filter::LevelFilter;

use super::client_url;
use super::pid_file::{self, PidFile};
use crate::cli::StartArgs;
use crate::config::{self, Listen};
use crate::error::WithHelp as _;
use crate::stamp;

pub(crate) fn run(args: &StartArgs) -> anyhow::Result<ExitCode> {
    log();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    runtime.block_on(serve(args))?;
    // Anything still running has had its grace; waiting for it would hold up the stop.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Sends the log to standard error.
pub(crate) fn log() {
    let level = if config::debug() {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // A file or a pipe gets no escape codes.
        .with_ansi(std::io::stderr().is_terminal() && config::colour_allowed())
        .init();
}

async fn serve(args: &StartArgs) -> anyhow::Result<()> {
    // Handlers first: a signal that arrives while we bind must not be lost.
    let stop = stop_signal()?;
    let Listen { host, port } = Listen::new(&args.listen);
    let config = Config {
        host,
        port,
        ui: config::ui_source(args.no_ui),
        build: stamp::build(),
        name: config::server_name(),
        api_token: config::api_token(),
        max_workers: args
            .max_workers
            .or_else(|| config::number("NOETL_MAX_WORKERS"))
            .unwrap_or(8),
        tools: crate::commands::run::machine(None),
        store: config::store_config(args)?,
    };
    let server = bind(config).await?;
    let address = server.address();
    let url = client_url(&address.ip().to_string(), address.port());
    // Held until the server ends: the lock on it is what says that we are alive. In front, `noetl server
    // stop` of another terminal finds it as well, unless a server in the background has the file.
    let pid_file = match PidFile::create(pid_file::SERVER, &url) {
        Err(error) if args.detached => return Err(error),
        made => made.ok(),
    };
    let mut words = format!(
        "noetl server {} listening on http://{address}\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(path) = server.token_file() {
        words += &format!(
            "callers from other machines need the token in {}\n",
            path.display()
        );
    }
    // Who reads no further than the first line, or not at all, still wants the server.
    drop(std::io::stdout().write_all(words.as_bytes()));
    server.run(stop).await.context("the server failed")?;
    drop(pid_file);
    Ok(())
}

async fn bind(config: Config) -> anyhow::Result<Server> {
    let remedy = |error: &BindError| {
        match error {
        BindError::Host { .. } => "give an address of this machine, such as --host 127.0.0.1".to_owned(),
        BindError::InUse { address } => {
            format!("`noetl server status --port {}` shows whether it is NoETL; else take another, such as --port 0", address.port())
        }
        BindError::Start(error) => start_remedy(error),
        BindError::Listen { .. } => "give an address of this machine and a port you may use, such as --host 127.0.0.1 --port 8082".to_owned(),
    }
    };
    match Server::bind(config).await {
        Ok(server) => Ok(server),
        Err(error) => {
            let remedy = remedy(&error);
            Err(error).help(remedy)
        }
    }
}

fn start_remedy(error: &StartError) -> String {
    match error {
        StartError::DataFolder { .. } => "name a folder that you may write to with --data-dir".to_owned(),
        StartError::Taken { .. } => "stop it with `noetl server stop`, or name another folder with --data-dir".to_owned(),
        StartError::Store { source: StoreError::Newer { .. }, .. } => {
            "start the NoETL that the store was last used with, or a later one".to_owned()
        }
        StartError::Store { kind: StorageKind::Sqlite, .. } => "name another folder with --data-dir".to_owned(),
        StartError::Store { .. } => {
            "check DATABASE_URL or POSTGRES_*; several servers on one database need the same NOETL_ENCRYPTION_KEY".to_owned()
        }
        StartError::Secret(VaultError::File { path, .. }) => format!("chmod 600 {}", path.display()),
        StartError::Secret(_) => "make one with `head -c 32 /dev/urandom | base64` and give it as NOETL_ENCRYPTION_KEY".to_owned(),
        StartError::OtherKey => "give the NOETL_ENCRYPTION_KEY that this store was begun with".to_owned(),
    }
}

/// Completes on Ctrl-C and, on Unix, on SIGTERM.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().context("cannot handle Ctrl-C")?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}
