//! `noetl catalog …` and `noetl register …`: playbooks and credentials on the server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::client::ClientArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum RegisterCommand {
    /// Register a credential, or every credential of a folder
    #[command(
        after_help = "A credential is a JSON or YAML object with name, type and data. It is not part of the catalog,\n\
        and only `noetl get credential NAME --include-data` shows its data.\n\nExamples:\n  \
        noetl register credential --file pg.json\n  noetl register credential --directory credentials"
    )]
    Credential(RegisterArgs),
    /// Register a playbook, or every playbook of a folder
    #[command(
        after_help = "A folder is searched with its subfolders for YAML files that have apiVersion and kind: Playbook.\n\n\
        Examples:\n  noetl register playbook --file weather.yaml\n  noetl register playbook --directory playbooks"
    )]
    Playbook(RegisterArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    pub(crate) source: RegisterSource,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RegisterSource {
    /// File to register
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Folder to search, with its subfolders
    #[arg(long, short, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// The kinds of object that `noetl catalog list` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogType {
    /// Playbooks
    #[value(alias = "playbooks")]
    Playbook,
    /// Credentials, without their data
    #[value(alias = "credentials")]
    Credential,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Register a playbook or a credential
    Register(CatalogRegisterArgs),
    /// List what is registered, newest first
    List(CatalogListArgs),
    /// Print a playbook's text as it was registered
    #[command(
        after_help = "Examples:\n  noetl catalog get examples/weather > weather.yaml\n  \
        noetl catalog get examples/weather --version 2 --json"
    )]
    Get(CatalogEntryArgs),
    /// Delete a playbook: all its versions, or one
    Delete(CatalogEntryArgs),
    /// Check a playbook without registering it; exit code 1 when it has errors
    Validate(CatalogValidateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CatalogRegisterArgs {
    /// File to register
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogListArgs {
    /// Kind of object to list
    #[arg(value_name = "TYPE", default_value = "playbook", ignore_case = true)]
    pub(crate) kind: CatalogType,
    /// Only the newest version of each
    #[arg(long)]
    pub(crate) latest: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogEntryArgs {
    /// Path in the catalog, such as examples/weather
    pub(crate) path: String,
    /// Version [default: the newest for get, all for delete]
    #[arg(long, short = 'V', value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) version: Option<i64>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogValidateArgs {
    /// Playbook to check
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
