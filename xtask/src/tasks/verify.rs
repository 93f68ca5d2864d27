//! `cargo xtask verify`: checks every file in dist/.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use clap::Args;
use noetl_help::Help as _;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::rules::ImageStandard;
use crate::release::verify;
use crate::tasks::rebuild;

/// Check every file in dist/
#[derive(Debug, Args)]
#[command(
    after_help = "Opens every archive, package, repository and installer; checks format, instruction set, linking, floors, protections, \
    signature and build stamp\nof each binary; makes again what follows from binaries and release, and compares; and checks the image \
    by every rule.\nPrints all findings. `cargo xtask image check --list` prints the rules.\n\nExamples:\n  \
    cargo xtask verify                     dist/\n  cargo xtask verify DIR                 a downloaded release\n  \
    cargo xtask verify --rebuild v0.1.0    and build it again"
)]
pub(crate) struct VerifyArgs {
    /// Folder to check [default: dist at the repository's root]
    folder: Option<Utf8PathBuf>,
    /// Build this tag or commit once more, and compare every file in the folder
    #[arg(long, value_name = "TAG", conflicts_with = "json")]
    rebuild: Option<String>,
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
    let dist_manifest = dist_manifest.with_context(|| format!("{folder} has no manifest"))?;
    let artifacts = &dist_manifest.artifacts;
    let (present, absent): (Vec<_>, Vec<_>) = artifacts
        .iter()
        .partition(|it| folder.join(&it.name).is_file());
    let mut absent: Vec<_> = absent
        .iter()
        .filter_map(|it| it.name.split_once('/'))
        .map(|it| it.0)
        .collect();
    absent.dedup();
    if !absent.is_empty() {
        let absent = absent.join(", ");
        output::note(
            ctx,
            &format!("not here, and not checked: the folders {absent}"),
        );
    }
    output::line(format!(
        "{folder}: {} artifacts, no rule is broken",
        present.len()
    ))?;
    match &args.rebuild {
        Some(tag) => rebuild::compare(ctx, tag, &dist_manifest, &folder, true),
        None => Ok(()),
    }
}
