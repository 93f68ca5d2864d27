//! `noetl logs`: what the steps of an execution print.

use clap::Args;

use super::client::ClientArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Each line begins with its step, the item of a loop in brackets and the attempt after `#`, when it is not the first: \
    `|` is\nfollowed by output, `!` by output of errors, `~` by what the tool itself says.\n\nExamples:\n  \
    noetl logs 3518209731174400\n  noetl logs 3518209731174400 --follow\n  \
    noetl logs 3518209731174400 --step load --item 3 --timestamps\n  \
    noetl logs 3518209731174400 --json | jq -r .text"
)]
pub(crate) struct LogsArgs {
    /// Execution id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Only what this step prints
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// Only this attempt, from 1
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// Only this item of a loop, from 0
    #[arg(long, value_name = "N")]
    pub(crate) item: Option<u32>,
    /// Print new lines as they come, until the execution ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Begin each line with its time
    #[arg(long, short)]
    pub(crate) timestamps: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
