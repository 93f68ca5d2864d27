//! The command line: arguments and their help texts, as plain data. Nothing here runs a command.

pub(crate) mod build;
pub(crate) mod catalog;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod execute;
pub(crate) mod k8s;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod own;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod validate;
pub(crate) mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

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
    /// Set variables that the environment does not from this file, such as .env
    #[arg(long, value_name = "FILE", global = true, help_heading = "Environment")]
    pub(crate) env_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a playbook in this process or on a server
    #[command(visible_alias = "exec")]
    Run(run::RunArgs),
    /// Check playbooks in files without running them
    Validate(validate::ValidateArgs),
    /// Print the JSON Schema of playbooks, for editors
    Schema,
    /// Start, stop and check the server on this machine
    #[command(subcommand)]
    Server(server::ServerCommand),
    /// Run the steps of a server's playbooks on this machine
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Register playbooks and credentials with the server
    #[command(subcommand)]
    Register(catalog::RegisterCommand),
    /// List, read, check and delete what is registered
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Start playbooks on the server
    #[command(subcommand)]
    Execute(execute::ExecuteCommand),
    /// Show an execution: status, steps, error
    Status(execute::ExecutionStatusArgs),
    /// Print what the steps of an execution print
    Logs(logs::LogsArgs),
    /// Run what failed in an execution again, with the results of what ended well
    Retry(execute::RetryArgs),
    /// Cancel an execution and the executions it started
    Cancel(execute::CancelArgs),
    /// Cancel executions that have been running for too long
    Cleanup(execute::CleanupArgs),
    /// List playbooks, credentials, executions or workers
    List(list::ListArgs),
    /// Show a credential
    #[command(subcommand)]
    Get(list::GetCommand),
    /// Query the server's store with SQL
    Query(store::QueryArgs),
    /// Prepare and check the server's store
    #[command(subcommand)]
    Db(store::DbCommand),
    /// Keep servers by name and choose the current one
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Run NoETL in a Kubernetes cluster
    #[command(subcommand, visible_alias = "kubernetes")]
    K8s(k8s::K8sCommand),
    /// Build the container image in a checkout of NoETL
    Build(build::BuildArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
    /// Update this binary
    #[command(name = "self", subcommand)]
    Own(own::SelfCommand),
    /// Print the version, commit and target of this binary
    Version(VersionArgs),
    /// Print the OpenAPI document of the server's API
    #[command(hide = true)]
    Openapi,
    /// End the processes of another noetl's steps once it is gone
    #[command(hide = true)]
    GuardSteps,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl completions bash > ~/.local/share/bash-completion/completions/noetl\n  \
    noetl completions zsh > ~/.zfunc/_noetl\n  noetl completions fish > ~/.config/fish/completions/noetl.fish"
)]
pub(crate) struct CompletionsArgs {
    /// Shell to write the script for
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl man | man -l -\n  noetl man execute playbook > noetl-execute-playbook.1\n  \
    noetl man --dir ~/.local/share/man/man1"
)]
pub(crate) struct ManArgs {
    /// Command to describe, such as `execute playbook` [default: an overview of all commands]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Write the pages of all commands to this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "--check asks the project's releases once a day at the most, and remembers the answer in ~/.noetl. It asks nobody \
    where CI or\nNOETL_NO_UPDATE_CHECK is set.\n\nExamples:\n  noetl version\n  noetl version --check    whether there is a newer release, and what installs it"
)]
pub(crate) struct VersionArgs {
    /// Print JSON: version, commit, target, rustc, hash of the web page
    #[arg(long, short)]
    pub(crate) json: bool,
    /// Say whether there is a newer release
    #[arg(long)]
    pub(crate) check: bool,
}
