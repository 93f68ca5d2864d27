//! One module per task: its arguments with their help, and the steps that it runs.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod ci;
pub(crate) mod ci_multiarch;
pub(crate) mod clean;
pub(crate) mod deploy;
pub(crate) mod dist;
pub(crate) mod doctor;
pub(crate) mod image;
pub(crate) mod k8s;
mod rebuild;
pub(crate) mod release;
mod sandbox;
pub(crate) mod setup;
pub(crate) mod size;
pub(crate) mod smoke;
pub(crate) mod test;
pub(crate) mod tidy;
pub(crate) mod ui;
pub(crate) mod verify;

use clap::Args;
use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::output;

/// Flags that print a plan instead of running it.
#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// Print the plan as JSON and stop
    #[arg(long, conflicts_with = "dry_run")]
    pub plan: bool,
    /// Print the commands and stop; each can be pasted into a shell at the repository's root
    #[arg(long)]
    pub dry_run: bool,
}

impl Preview {
    /// Returns whether the plan is to be printed.
    fn wanted(&self) -> bool {
        self.plan || self.dry_run
    }

    /// Prints the plan, or its commands and what is done after them, such as `write dist`.
    fn show(
        &self,
        plan: &impl Serialize,
        commands: &[CommandLine],
        after: &[String],
    ) -> anyhow::Result<()> {
        if self.plan {
            return output::json(plan);
        }
        commands.iter().try_for_each(output::line)?;
        let mut after = after.iter();
        after.try_for_each(|what| output::line(format!("# then {what}")))
    }
}
