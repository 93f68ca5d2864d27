//! `noetl build`, `completions`, `man` and `server logs`: commands that ask no server.

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(
    after_help = "Runs `cargo xtask image` in the checkout around the current folder and ends with its exit code.\n\n\
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
    /// Registry and path above the image's name
    #[arg(long)]
    pub(crate) registry: Option<String>,
    /// Tag, repeatable
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Send the image to the registry once it has passed every check
    #[arg(long)]
    pub(crate) push: bool,
    /// Accepted for old scripts: an image is always assembled anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// More arguments for `cargo xtask image`
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl completions bash > ~/.local/share/bash-completion/completions/noetl\n  \
    noetl completions zsh > ~/.zfunc/_noetl\n  noetl completions fish > ~/.config/fish/completions/noetl.fish"
)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl man | man -l -\n  noetl man execute playbook > noetl-execute-playbook.1"
)]
pub(crate) struct ManArgs {
    /// Command to describe, such as `execute playbook` [default: all of them in short]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  noetl server logs -n 20\n  noetl server logs --follow")]
pub(crate) struct LogsArgs {
    /// Go on printing what is added, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many of the last lines to print
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "LINES",
        default_value_t = 100
    )]
    pub(crate) lines: usize,
}
