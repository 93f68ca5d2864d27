//! Proof: the only maker of [`Verified`], which publishing demands. Reads bytes back from disk.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;

use crate::check::archive::Files;
use crate::check::expect::Expectations;
use crate::check::{Findings, archive, image};
use crate::ctx::Ctx;
use crate::dist_manifest::DistManifest;
use crate::error::WithHelp as _;
use crate::files;
use crate::oci::layout::Layout;

/// A value whose bytes were read back and found right.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value.
    pub(crate) fn value(&self) -> &T {
        &self.0
    }
}

/// Checks every file in a dist folder.
pub(crate) fn check_dist(
    ctx: &Ctx,
    folder: &Utf8Path,
) -> anyhow::Result<(Findings, Option<DistManifest>)> {
    let mut files = Files::new();
    let mut strange = Vec::new();
    for entry in folder
        .read_dir_utf8()
        .with_context(|| format!("cannot list {folder}"))?
    {
        let entry = entry.with_context(|| format!("cannot list {folder}"))?;
        let name = entry.file_name().to_owned();
        // Not followed: a link is not what is uploaded, and a pipe would be waited for.
        if entry
            .file_type()
            .with_context(|| format!("cannot look at {}", entry.path()))?
            .is_file()
        {
            files.insert(name, files::read(entry.path())?);
        } else {
            strange.push(name);
        }
    }
    let (mut findings, dist_manifest) = archive::check(&files, &own_folders(ctx));
    for name in strange {
        findings.add("A1", name, "it is not a regular file");
    }
    Ok((findings, dist_manifest))
}

/// Folders of this machine that must not stand in a binary, but for those that paths are mapped to.
fn own_folders(ctx: &Ctx) -> Vec<String> {
    let folders = [&ctx.root, &ctx.cargo_home, &ctx.target_dir];
    let own = folders
        .into_iter()
        .filter(|folder| folder.components().count() > 2);
    own.map(ToString::to_string).collect()
}

/// Proves a dist folder.
pub(crate) fn dist(ctx: &Ctx, folder: &Utf8Path) -> anyhow::Result<Verified<DistManifest>> {
    let (findings, dist_manifest) = check_dist(ctx, folder)?;
    conclude(&findings, folder.as_str())?;
    Ok(Verified(
        dist_manifest.expect("a dist without a manifest has findings"),
    ))
}

/// Proves an image layout on disk, in either form.
pub(crate) fn image(path: &Utf8Path, expected: &Expectations) -> anyhow::Result<Verified<Layout>> {
    let layout = Layout::open(path)?;
    conclude(&image::check(&layout, expected), path.as_str())?;
    Ok(Verified(layout))
}

/// Prints all findings, then fails once when any of them is an error.
pub(crate) fn conclude(findings: &Findings, object: &str) -> anyhow::Result<()> {
    findings.lines().iter().for_each(|line| eprintln!("{line}"));
    refuse(findings, object)
}

/// Prints all findings as JSON on standard output, then fails in the same way.
pub(crate) fn conclude_json(findings: &Findings, object: &str) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&findings.0)?);
    refuse(findings, object)
}

fn refuse(findings: &Findings, object: &str) -> anyhow::Result<()> {
    let refused = || anyhow!("{object} breaks the rules: {}", findings.counts());
    (findings.errors() == 0).then_some(()).ok_or_else(refused).help(
        "`cargo xtask image check --explain ID` says what a rule is for; build it anew to mend it",
    )
}
