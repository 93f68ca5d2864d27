//! `noetl server …`: the server on this machine, and the check of any server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client::{ClientArgs, RootArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Serve the API and the web page until stopped
    #[command(
        after_help = "Ctrl-C or SIGTERM stops it; after --detach, `noetl server stop` does.\n\
        The store is SQLite in the data folder, or PostgreSQL: set DATABASE_URL, or POSTGRES_HOST, _PORT,\n\
        _USER, _PASSWORD and _DATABASE. Requests from other machines need a token: NOETL_API_TOKEN, or one\n\
        that is generated in the data folder. NOETL_ENCRYPTION_KEY encrypts credentials.\n\
        NOETL_UI_DIR serves the web page from a folder, NOETL_DEBUG=true logs every step.\n\n\
        Examples:\n  noetl server start\n  noetl server start --detach --port 9000\n  \
        noetl server start --host 0.0.0.0 --data-dir /var/lib/noetl"
    )]
    Start(StartArgs),
    /// Stop the server that `start --detach` left running
    Stop(StopArgs),
    /// Print whether a server answers, and at which address
    Status(StatusArgs),
    /// Request a server's health, version, page and every file of the page
    #[command(
        after_help = "Exit code 0 when all of it is served.\n\nExamples:\n  noetl server check\n  \
        noetl server check --server-url http://127.0.0.1:8082 --json"
    )]
    Check(CheckArgs),
    /// Print the log of the server that `start --detach` left running
    #[command(after_help = "Examples:\n  noetl server logs -n 20\n  noetl server logs --follow")]
    Logs(LogsArgs),
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

impl ListenArgs {
    /// Returns these flags; one that is missing here is taken from before the subcommand.
    pub(crate) fn or(self, root: &RootArgs) -> Self {
        Self {
            host: self.host.or_else(|| root.host.clone()),
            port: self.port.or(root.port),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) listen: ListenArgs,
    /// Serve the API without the web page [env: NOETL_ENABLE_UI=false]
    #[arg(long)]
    pub(crate) no_ui: bool,
    /// Folder of the SQLite store, the keys and the token [env: NOETL_DATA_DIR] [default: ~/.noetl/data]
    #[arg(long, value_name = "PATH")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Number of commands that this process runs at once; 0 leaves them to workers [env: NOETL_MAX_WORKERS] [default: 8]
    #[arg(long, short, value_name = "N")]
    pub(crate) max_workers: Option<usize>,
    /// How many MiB of each attempt's output are kept: its beginning and its end [env: NOETL_LOG_LIMIT] [default: 1]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) log_limit: Option<u16>,
    /// For how many days executions are kept after their end; without it, they all are [env: NOETL_RETENTION_DAYS]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=36500))]
    pub(crate) retention_days: Option<u16>,
    /// Address of a proxy on this machine through which others reach the server; they need the token
    /// [env: NOETL_ALLOWED_HOSTS, a list of hosts]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Run in the background and return once the server answers
    #[arg(long)]
    pub(crate) detach: bool,
    /// Accepted for old scripts: every start prepares the store
    #[arg(long)]
    pub(crate) init_db: bool,
    /// Marks the process that `--detach` started; it holds the pid file
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Kill the server if it does not stop by itself
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

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Leave out the page, for a server that was started without one
    #[arg(long)]
    pub(crate) no_ui: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Keep printing what is added to the log, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Number of lines to print from the end of the log
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "LINES",
        default_value_t = 100
    )]
    pub(crate) lines: usize,
}
