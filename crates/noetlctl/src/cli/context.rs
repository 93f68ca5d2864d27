//! `noetl context …`: servers with a name, kept in `~/.noetl/config.yaml`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::run::Runtime;

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Add a context, or change one
    #[command(
        after_help = "A context is a name for a server, its token and where playbooks run. The first one that is added becomes\n\
        the current one. Adding a name again changes the given values and keeps the others.\n\nExamples:\n  \
        noetl context add local --server-url http://127.0.0.1:8082\n  \
        noetl context add prod --server-url https://noetl.example.org --token-file ~/.noetl/prod.token --set-current"
    )]
    Add(AddContextArgs),
    /// List the contexts; `*` marks the current one
    List(ContextJson),
    /// Make a context the current one
    Use(ContextName),
    /// Set where playbooks run in the current context
    SetRuntime(SetRuntimeArgs),
    /// Delete a context
    Delete(ContextName),
    /// Print the current context
    Current(ContextJson),
}

#[derive(Debug, Args)]
pub(crate) struct AddContextArgs {
    /// Name of the context
    pub(crate) name: String,
    /// URL of the server
    #[arg(long, value_name = "URL")]
    pub(crate) server_url: String,
    /// Where playbooks run in this context [default: auto]
    #[arg(long)]
    pub(crate) runtime: Option<Runtime>,
    /// File with the server's token, read by every command
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// Make it the current context
    #[arg(long)]
    pub(crate) set_current: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ContextName {
    /// Name of the context
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct SetRuntimeArgs {
    /// Where playbooks run
    pub(crate) runtime: Runtime,
}

#[derive(Debug, Args)]
pub(crate) struct ContextJson {
    /// Print JSON: name, server_url, runtime, token_file, current
    #[arg(long, short)]
    pub(crate) json: bool,
}
