//! `noetl self`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SelfCommand {
    /// Replace this binary by the newest release, or say what does where a package manager has installed it
    Update(UpdateArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Downloads the release's installer, compares it with SHA256SUMS and runs it; the installer compares the archive \
    with the hash\nthat it contains. The old binary stays when anything fails. NOETL_DOWNLOAD_URL names a mirror\n\
    that has the files as vVERSION/FILE, and latest/SHA256SUMS.\n\nExamples:\n  \
    noetl self update                    the newest release\n  noetl self update --check            whether there is one\n  \
    noetl self update --version 0.1.0    this one, also when it is older"
)]
pub(crate) struct UpdateArgs {
    /// Version to install, such as 0.1.0 [default: the newest release]
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// Only say whether there is a newer release, and what installs it
    #[arg(long, conflicts_with = "version")]
    pub(crate) check: bool,
}
