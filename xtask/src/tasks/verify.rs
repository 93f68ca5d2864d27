//! `cargo xtask verify`: opens every file in dist/ and proves it.

use camino::Utf8PathBuf;
use clap::Args;

use crate::ctx::Ctx;
use crate::verify;

/// Open every file in dist/ and prove it
#[derive(Debug, Args)]
#[command(
    after_help = "Names, hashes and contents of every archive; format, instruction set, linking, signature and \
    stamp of every binary;\nthe image against every rule. All findings at once. `cargo xtask image check --list` \
    prints the rules."
)]
pub(crate) struct VerifyArgs {
    /// Folder to prove
    #[arg(default_value = "dist")]
    folder: Utf8PathBuf,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &VerifyArgs) -> anyhow::Result<()> {
    let folder = if args.folder.exists() {
        args.folder.clone()
    } else {
        ctx.root.join(&args.folder)
    };
    let (findings, manifest) = verify::check_dist(&folder)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings.0)?);
        anyhow::ensure!(
            findings.errors() == 0,
            "{folder} breaks the rules: {} errors",
            findings.errors()
        );
        return Ok(());
    }
    verify::conclude(&findings, folder.as_str())?;
    let count = manifest.map_or(0, |manifest| manifest.artifacts.len());
    println!("{folder}: {count} artifacts, no rule is broken");
    Ok(())
}
