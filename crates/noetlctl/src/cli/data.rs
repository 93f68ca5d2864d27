//! `noetl list`, `get`, `query` and `db`: what the server holds.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::client::ClientArgs;

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListType {
    /// Playbooks in their newest version
    #[value(alias = "playbooks")]
    Playbook,
    /// Credentials, without their data
    #[value(alias = "credentials")]
    Credential,
    /// The newest executions
    #[value(alias = "executions")]
    Execution,
    /// Workers, ready and offline
    #[value(alias = "workers")]
    Worker,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl list Playbook\n  noetl list Execution --json | jq -r '.[].execution_id'"
)]
pub(crate) struct ListArgs {
    /// What to list
    #[arg(value_name = "TYPE", ignore_case = true)]
    pub(crate) kind: ListType,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetCommand {
    /// Show a credential; its data only when asked for
    #[command(
        after_help = "Examples:\n  noetl get credential pg\n  noetl get credential pg --include-data --json"
    )]
    Credential(GetCredentialArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GetCredentialArgs {
    /// Name of the credential
    pub(crate) name: String,
    /// Show the secret data as well
    #[arg(long, alias = "include_data", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true", hide_default_value = true)]
    pub(crate) include_data: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// The server's answer
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Asks the server's own store, which answers but cannot be changed this way.\n\nExamples:\n  \
    noetl query 'SELECT path, version FROM catalog'\n  noetl query 'SELECT 1' --format json"
)]
pub(crate) struct QueryArgs {
    /// SQL to run
    #[arg(value_name = "SQL")]
    pub(crate) sql: String,
    /// Schema to look up names in
    #[arg(long, short)]
    pub(crate) schema: Option<String>,
    /// How to print the rows; json is the same as --json
    #[arg(long, short, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Create what is missing in the server's store
    Init(DbArgs),
    /// Check that nothing is missing; exit code 1 when something is
    Validate(DbArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
