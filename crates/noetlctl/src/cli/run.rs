//! `noetl run`: a playbook in this process or on a server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::client::RemoteArgs;
use super::execute::PayloadArgs;

/// Where a playbook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// In this process
    Local,
    /// On the server, from its catalog
    Distributed,
    /// Files in this process, names from the catalog on the server
    Auto,
}

#[derive(Debug, Args)]
#[command(
    after_help = "REF is a file, a file without its extension, a path in the server's catalog,\n\
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
    /// Step to start at, like --target
    #[arg(value_name = "STEP", conflicts_with = "target")]
    pub(crate) step: Option<String>,
    /// Where it runs [default: the current context's, else auto]
    #[arg(long, short, value_enum)]
    pub(crate) runtime: Option<Runtime>,
    /// Step to start at; also the variable `target`
    #[arg(long, short, value_name = "STEP")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// Version in the catalog [default: the newest]
    #[arg(long, short = 'V', value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) version: Option<i64>,
    /// Validate the playbook and show its steps without running it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show the results of steps, and which step prints each line
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Write what the steps print to this file too, with times, steps and attempts
    #[arg(long, value_name = "FILE")]
    pub(crate) logs: Option<PathBuf>,
    /// File or folder with credentials for the steps, repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) credentials: Vec<PathBuf>,
    /// Maximum number of steps that run at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) max_workers: usize,
    /// Server for `--runtime distributed`; the same as --server-url
    #[arg(long, value_name = "URL", hide = true)]
    pub(crate) endpoint: Option<String>,
    /// Print one line of JSON: status, result, error, steps, variables; on a server, its answer
    #[arg(long, short)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}
