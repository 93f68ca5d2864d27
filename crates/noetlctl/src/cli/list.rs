//! `noetl list` and `noetl get`: what a server holds, listed or one by one.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::client::ClientArgs;

/// The kinds of object that can be listed.
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
    /// Kind of object to list
    #[arg(value_name = "TYPE", ignore_case = true)]
    pub(crate) kind: ListType,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetCommand {
    /// Show a credential, without its data unless --include-data is given
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
