//! The command line: what people type, and the help they read.

use clap::{Args, Parser, Subcommand};

/// Run workflow playbooks and serve them
#[derive(Debug, Parser)]
#[command(
    name = "noetl",
    version,
    arg_required_else_help = true,
    propagate_version = false
)]
#[command(after_help = "Start here: `noetl server start`, then open http://127.0.0.1:8082")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Manage the server on this machine
    #[command(subcommand)]
    Server(ServerCommand),
    /// Print what this binary was built from
    Version(VersionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Print JSON: version, commit, target, rustc, the web page's hash
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Serve the API and the web page until stopped
    #[command(
        after_help = "Stop it with Ctrl-C or SIGTERM, or with `noetl server stop` after --detach.\n\
        NOETL_UI_DIR serves the web page from a folder, NOETL_DEBUG=true logs every step."
    )]
    Start(StartArgs),
    /// Stop the server that `start --detach` left running
    Stop(StopArgs),
    /// Say whether a server answers, and where
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Address or name to listen on [env: NOETL_HOST] [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Port to listen on; 0 takes a free one [env: NOETL_PORT] [default: 8082]
    #[arg(long, short)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
    /// Serve the API alone; `/` says so [env: NOETL_ENABLE_UI=false]
    #[arg(long)]
    pub(crate) no_ui: bool,
    /// Run in the background and return once the server answers
    #[arg(long)]
    pub(crate) detach: bool,
    /// Accepted for old scripts: the server prepares what it needs at every start
    #[arg(long)]
    pub(crate) init_db: bool,
    /// Marks the process that `--detach` started; it holds the pid file
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Kill the server when it does not stop by itself
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
    /// Print JSON: running, url, pid, version
    #[arg(long, short)]
    pub(crate) json: bool,
}
