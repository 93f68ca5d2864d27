//! `noetl validate`: checks playbooks in files.

use std::path::PathBuf;

use clap::Args;

use super::client::RemoteArgs;
use super::execute::PayloadArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Exits with 1 when a playbook has an error; warnings do not count.\n\nExamples:\n  \
    noetl validate hello.yaml\n  \
    noetl validate playbooks/*.yaml --json\n  \
    noetl validate report.yaml --set month=3 --credentials credentials"
)]
pub(crate) struct ValidateArgs {
    /// Playbooks
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// File or folder with credentials for the steps, repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) credentials: Vec<PathBuf>,
    /// Print one line of JSON: a list of file, valid and problems
    #[arg(long, short)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}
