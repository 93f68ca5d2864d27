//! `noetl worker …`: workers on this machine.

use clap::{Args, Subcommand};

use super::client::RemoteArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// Run the steps of a server's playbooks until stopped
    #[command(
        after_help = "Several workers share the steps of one server. Stop a worker with Ctrl-C, SIGTERM or\n\
        `noetl worker stop`; the other workers take over the steps that it was running.\n\n\
        Example:\n  NOETL_API_TOKEN=… noetl worker start --server-url https://noetl.example.com -m 8"
    )]
    Start(WorkerStartArgs),
    /// Stop a worker of this machine
    Stop(WorkerStopArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WorkerStartArgs {
    /// Number of commands that run at once [env: NOETL_MAX_WORKERS] [default: 8]
    #[arg(long, short, value_name = "N")]
    pub(crate) max_workers: Option<usize>,
    /// Name in the list of workers [env: NOETL_WORKER_POOL_NAME] [default: name of this machine and a number]
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
    /// Kill it if it does not stop by itself
    #[arg(long, short)]
    pub(crate) force: bool,
}
