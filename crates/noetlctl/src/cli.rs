//! The command line: what people type, and the help they read.

pub(crate) mod catalog;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod data;
pub(crate) mod execute;
pub(crate) mod k8s;
pub(crate) mod machine;
pub(crate) mod run;

use std::path::PathBuf;

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
    #[command(flatten)]
    pub(crate) root: client::RootArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a playbook, here or on the server
    #[command(visible_alias = "exec")]
    Run(run::RunArgs),
    /// Manage the server on this machine
    #[command(subcommand)]
    Server(ServerCommand),
    /// Take up the work of a server elsewhere
    #[command(subcommand)]
    Worker(run::WorkerCommand),
    /// Register playbooks and credentials with the server
    #[command(subcommand)]
    Register(catalog::RegisterCommand),
    /// Look at and change what is registered
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Start playbooks on the server
    #[command(subcommand)]
    Execute(execute::ExecuteCommand),
    /// Show an execution: status, steps, error
    Status(execute::ExecutionStatusArgs),
    /// Cancel an execution and those it started
    Cancel(execute::CancelArgs),
    /// Cancel executions that have been running for too long
    Cleanup(execute::CleanupArgs),
    /// List playbooks, credentials, executions or workers
    List(data::ListArgs),
    /// Show one thing by its name
    #[command(subcommand)]
    Get(data::GetCommand),
    /// Ask the server's store in SQL
    Query(data::QueryArgs),
    /// Prepare and check the server's store
    #[command(subcommand)]
    Db(data::DbCommand),
    /// Name servers and choose between them
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Run NoETL in a Kubernetes cluster
    #[command(subcommand, visible_alias = "kubernetes")]
    K8s(k8s::K8sCommand),
    /// Assemble the image, in a checkout of NoETL
    Build(machine::BuildArgs),
    /// Print a script that completes this command in a shell
    Completions(machine::CompletionsArgs),
    /// Print the manual page
    Man(machine::ManArgs),
    /// Print what this binary was built from
    Version(VersionArgs),
    /// Print the OpenAPI document of the server's API, which ui-src/openapi.json is a copy of
    #[command(hide = true)]
    Openapi,
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
        The store is SQLite in the data folder, or PostgreSQL by DATABASE_URL or POSTGRES_HOST, _PORT,\n\
        _USER, _PASSWORD and _DATABASE. Callers from other machines need a token: NOETL_API_TOKEN, or one\n\
        that is made in the data folder. NOETL_ENCRYPTION_KEY encrypts credentials.\n\
        NOETL_UI_DIR serves the web page from a folder, NOETL_DEBUG=true logs every step."
    )]
    Start(StartArgs),
    /// Stop the server that `start --detach` left running
    Stop(StopArgs),
    /// Say whether a server answers, and where
    Status(StatusArgs),
    /// Ask a server for its health, its version, its page and every file of the page
    #[command(
        after_help = "Exit code 0 when all of it is served.\n\nExamples:\n  noetl server check\n  \
        noetl server check --server-url http://127.0.0.1:8082 --json"
    )]
    Check(CheckArgs),
    /// Print the log of the server that `start --detach` left running
    Logs(machine::LogsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) client: client::ClientArgs,
    /// Leave out the page, for a server that was started without one
    #[arg(long)]
    pub(crate) no_ui: bool,
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
    /// These flags, and those before the subcommand where one is missing here.
    pub(crate) fn or(self, root: &client::RootArgs) -> Self {
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
    /// Serve the API alone; `/` says so [env: NOETL_ENABLE_UI=false]
    #[arg(long)]
    pub(crate) no_ui: bool,
    /// Folder of the store, the keys and the log [env: NOETL_DATA_DIR] [default: ~/.noetl/data]
    #[arg(long, value_name = "PATH")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Commands that run at once in this process; 0 leaves them to workers [env: NOETL_MAX_WORKERS] [default: 8]
    #[arg(long, short, value_name = "N")]
    pub(crate) max_workers: Option<usize>,
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
