//! `cargo xtask ci generate`: the workflows, from the target table and the list of jobs.

use anyhow::anyhow;
use clap::Args;

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::workflow::{self, FOLDER};
use crate::{files, sh, tasks};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask ci generate\n  cargo xtask ci generate --check")]
pub(super) struct GenerateArgs {
    /// Write nothing; show how the files differ from what would be written, and fail if they do
    #[arg(long)]
    check: bool,
}

pub(super) fn run(ctx: &Ctx, args: &GenerateArgs) -> anyhow::Result<()> {
    if args.check {
        let drifted = drift(ctx)?;
        drifted.iter().for_each(|difference| print!("{difference}"));
        let refused = || anyhow!("{} workflows are not what is generated", drifted.len());
        return (drifted.is_empty())
            .then_some(())
            .ok_or_else(refused)
            .help("cargo xtask ci generate");
    }
    for (name, text) in workflow::generate::all(&tasks::ci::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        files::write(&path, text)?;
        println!("{path}");
    }
    Ok(())
}

/// How each workflow differs from what is generated, as a diff; nothing when none does.
pub(crate) fn drift(ctx: &Ctx) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for (name, text) in workflow::generate::all(&tasks::ci::job_names()) {
        let path = ctx.root.join(FOLDER).join(name);
        let found = if path.is_file() {
            files::read_to_string(&path)?
        } else {
            String::new()
        };
        if found == text {
            continue;
        }
        let generated = ctx.state().join("workflows").join(name);
        files::write(&generated, &text)?;
        let old = if path.is_file() {
            path.to_string()
        } else {
            "/dev/null".to_owned()
        };
        let words = ["diff", "--no-index", "--no-color", "--no-prefix", "--"];
        let diff = CommandLine::new("git").args(words);
        let difference = sh::difference(ctx, &diff.args([old, generated.to_string()]))?;
        differences.push(if difference.is_empty() {
            format!("{path} differs in its line ends alone\n")
        } else {
            difference
        });
    }
    Ok(differences)
}
