//! `noetl run` and `noetl worker`: playbooks on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::client::RemoteArgs;
use super::execute::PayloadArgs;

/// Where a playbook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// In this process
    Local,
    /// On the server, from its catalog
    Distributed,
    /// A file here, everything else on the server
    Auto,
}

#[derive(Debug, Args)]
#[command(
    after_help = "REF is a file, a file without its ending, a path in the server's catalog, \
    catalog://PATH[@VERSION], or a target of ./noetl.yaml.\n\nExamples:\n  \
    noetl run hello.yaml --set name=World -v\n  \
    noetl run hello.yaml --dry-run\n  \
    noetl run boot                       # ./noetl.yaml with target=boot\n  \
    noetl exec examples/weather --input input.json --json"
)]
pub(crate) struct RunArgs {
    /// Playbook: a file or a catalog path [default: ./noetl.yaml, then ./main.yaml]
    #[arg(value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// Step to begin with, as --target
    #[arg(value_name = "STEP", conflicts_with = "target")]
    pub(crate) step: Option<String>,
    /// Where it runs [default: the context's, else auto]
    #[arg(long, short, value_enum)]
    pub(crate) runtime: Option<Runtime>,
    /// Step to begin with; also the variable `target`
    #[arg(long, short, value_name = "STEP")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// Version in the catalog [default: the newest]
    #[arg(long, short = 'V', value_name = "N")]
    pub(crate) version: Option<u64>,
    /// Validate, show the steps, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show what goes into steps and comes out of them
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// File or folder of credentials for steps that need some, repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) credentials: Vec<PathBuf>,
    /// Steps that run at once, at the most
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) max_workers: usize,
    /// Server for `--runtime distributed`; as --server-url
    #[arg(long, value_name = "URL", hide = true)]
    pub(crate) endpoint: Option<String>,
    /// Print one line of JSON: status, result, error, steps, variables; on a server, its answer
    #[arg(long, short)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Take up work from a server until stopped
    #[command(
        after_help = "Several workers share the work of one server. Stop it with Ctrl-C or SIGTERM, or with\n\
        `noetl worker stop`; what it was doing goes to the others.\n\n\
        Example:\n  NOETL_API_TOKEN=… noetl worker start --server-url https://noetl.example.com -m 8"
    )]
    Start(WorkerStartArgs),
    /// Stop a worker of this machine
    Stop(WorkerStopArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WorkerStartArgs {
    /// Commands that run at once [env: NOETL_MAX_WORKERS] [default: 8]
    #[arg(long, short, value_name = "N")]
    pub(crate) max_workers: Option<usize>,
    /// Name among the workers [env: NOETL_WORKER_POOL_NAME] [default: the host's and a number]
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerStopArgs {
    /// Name of the worker; needed when several run
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Kill it when it does not stop by itself
    #[arg(long, short)]
    pub(crate) force: bool,
}
