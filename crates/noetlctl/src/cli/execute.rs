//! `noetl execute …`, `status`, `cancel`, `cleanup`: executions on the server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client::ClientArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ExecuteCommand {
    /// Start a registered playbook
    #[command(
        after_help = "--payload overrides the input file, and --set overrides both.\n\nExamples:\n  \
        noetl execute playbook examples/weather --watch\n  \
        noetl execute playbook examples/weather --set city=Paris --set days=3\n  \
        noetl execute playbook examples/weather --input input.json --version 2 --json"
    )]
    Playbook(ExecutePlaybookArgs),
    /// Show an execution, as `noetl status` does
    Status(ExecutionStatusArgs),
    /// Start an execution again with the same playbook and input
    Rerun(RerunArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExecutePlaybookArgs {
    /// Path in the catalog, such as examples/weather
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// Version of the playbook [default: the newest]
    #[arg(long, short = 'V', value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) version: Option<i64>,
    /// Follow it until it ends; exit code 1 unless it completes
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: show every event
    #[arg(long, short, requires = "watch")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// The input of an execution, which overrides the playbook's workload.
#[derive(Debug, Default, Args)]
pub(crate) struct PayloadArgs {
    /// JSON file with the input; `-` reads standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Input as JSON, such as '{"city": "Paris"}'
    #[arg(long, visible_alias = "workload", value_name = "JSON")]
    pub(crate) payload: Option<String>,
    /// One field of the input, repeatable; VALUE is parsed as JSON, else taken as text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// As --set, but VALUE is always text, such as --set-string tag=1.10
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl status 3518209731174400\n  noetl status 3518209731174400 --watch && echo done\n  \
    noetl status 3518209731174400 --json | jq -r .status"
)]
pub(crate) struct ExecutionStatusArgs {
    /// Execution id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Follow it until it ends; exit code 1 unless it completes
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: show every event
    #[arg(long, short, requires = "watch")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    /// Execution id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Follow the new execution until it ends; exit code 1 unless it completes
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: show every event
    #[arg(long, short, requires = "watch")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The new execution has the results of what ended well, and templates see the id of the first one in it. What made\n\
    that one fail is run again, a sub-playbook from its beginning, and then what follows it.\n\n\
    Examples:\n  noetl retry 3518209731174400 --watch\n  noetl retry 3518209731174400 --version latest"
)]
pub(crate) struct RetryArgs {
    /// Execution id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Version of the playbook, or `latest` [default: that of the execution]
    #[arg(long, short = 'V', value_name = "N")]
    pub(crate) version: Option<String>,
    /// Follow the new execution until it ends; exit code 1 unless it completes
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: show every event
    #[arg(long, short, requires = "watch")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  noetl cancel 3518209731174400 --reason 'wrong input'")]
pub(crate) struct CancelArgs {
    /// Execution id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Reason, stored with the execution
    #[arg(long, short)]
    pub(crate) reason: Option<String>,
    /// Do not cancel the executions that it started
    #[arg(long)]
    pub(crate) no_cascade: bool,
    /// Accepted for old scripts: this is the default
    #[arg(long, hide = true, conflicts_with = "no_cascade")]
    pub(crate) cascade: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Asks before it cancels or deletes anything; without a terminal, --yes is needed.\n\nExamples:\n  \
    noetl cleanup --dry-run\n  noetl cleanup --older-than-minutes 60 --yes\n  noetl cleanup --ended-days 30 --yes"
)]
pub(crate) struct CleanupArgs {
    /// Cancel executions that have been running for longer than N minutes; the default is a day
    #[arg(long, value_name = "N", default_value_t = 24 * 60)]
    pub(crate) older_than_minutes: u32,
    /// Delete executions that ended more than N days ago, with their events and logs, instead of cancelling any
    #[arg(long, value_name = "N", conflicts_with = "older_than_minutes", value_parser = clap::value_parser!(u16).range(0..=36500))]
    pub(crate) ended_days: Option<u16>,
    /// Cancel or delete without a question
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Print what would be cancelled or deleted, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
