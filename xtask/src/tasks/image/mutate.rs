//! `cargo xtask image mutate`: the broken image that trips a rule, for tests and for the curious.

use anyhow::{Context as _, anyhow};
use camino::Utf8PathBuf;
use clap::Args;

use crate::check::mutants;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::tasks::image::{check, open, outputs};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask image mutate --rule P6 --output /tmp/broken && cargo xtask image check /tmp/broken")]
pub(super) struct MutateArgs {
    /// The rule to break
    #[arg(long, value_name = "ID", value_parser = check::known)]
    rule: &'static str,
    /// Folder, tar or full name of a clean image [default: what `image` made]
    #[arg(long)]
    image: Option<String>,
    /// Folder for the broken layout, which must not exist yet
    #[arg(long, value_name = "DIR")]
    output: Utf8PathBuf,
}

pub(super) fn run(ctx: &Ctx, args: &MutateArgs) -> anyhow::Result<()> {
    let mutant = mutants::find(args.rule)
        .with_context(|| format!("no image breaks {}", args.rule))
        .help("the rules with mutants: cargo xtask image check --list --markdown")?;
    if args.output.exists() {
        return Err(anyhow!("{} is there already", args.output)).help("name another folder");
    }
    let own = outputs(ctx).0.into_string();
    let clean = open(ctx, args.image.as_ref().unwrap_or(&own))?;
    mutant.of(&clean)?.write_folder(&args.output)?;
    println!(
        "{}: {}; it trips {}",
        args.output,
        mutant.change,
        mutant.trips.join(", ")
    );
    Ok(())
}
