//! `cargo xtask verify`: checks every file in dist/.

use camino::Utf8PathBuf;
use clap::Args;
use noetl_help::Help as _;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::rules::ImageStandard;
use crate::release::verify;

/// Check every file in dist/
#[derive(Debug, Args)]
#[command(
    after_help = "Checks names, hashes and contents of archives, wheels and npm packages; format, instruction set, linking, signature and \
    build stamp of binaries;\nand the image against every rule. Prints all findings. `cargo xtask image check --list` \
    prints the rules."
)]
pub(crate) struct VerifyArgs {
    /// Folder to check [default: dist at the repository's root]
    folder: Option<Utf8PathBuf>,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &VerifyArgs) -> anyhow::Result<()> {
    let folder = args.folder.clone().unwrap_or_else(|| ctx.root.join("dist"));
    let standard = ImageStandard::of_dist();
    let (findings, dist_manifest) =
        verify::check_dist(ctx, &folder, standard.rules()).help("`cargo xtask dist` makes one")?;
    if args.json {
        return verify::conclude_json(&findings, folder.as_str());
    }
    verify::conclude(&findings, folder.as_str())?;
    let count = dist_manifest.map_or(0, |dist_manifest| dist_manifest.artifacts.len());
    output::line(format!("{folder}: {count} artifacts, no rule is broken"))
}
