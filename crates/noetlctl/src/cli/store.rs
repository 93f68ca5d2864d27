//! `noetl query` and `noetl db`: the server's store.

use clap::{Args, Subcommand, ValueEnum};

use super::client::ClientArgs;

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
    after_help = "The query runs in the server's own store and can only read.\n\nExamples:\n  \
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
    /// Check that nothing is missing in the server's store; exit code 1 when something is
    Validate(DbArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
