//! `noetl build`: the container image, built in a checkout.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Runs `cargo xtask image` in the checkout that contains the current folder, and returns its exit code.\n\n\
    Examples:\n  noetl build\n  noetl build --platform linux/arm64\n  \
    noetl build --platforms linux/amd64,linux/arm64 --registry ghcr.io/noetl --push\n  noetl build -- --dry-run"
)]
pub(crate) struct BuildArgs {
    /// Platform, repeatable or separated by commas [default: linux/amd64,linux/arm64]
    #[arg(
        long = "platform",
        visible_alias = "platforms",
        value_name = "P",
        value_delimiter = ','
    )]
    pub(crate) platforms: Vec<String>,
    /// Registry and path in front of the image's name
    #[arg(long)]
    pub(crate) registry: Option<String>,
    /// Tag, repeatable
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Push the image to the registry after it has passed every check
    #[arg(long)]
    pub(crate) push: bool,
    /// Accepted for old scripts: the image is always built from scratch
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// More arguments for `cargo xtask image`
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}
