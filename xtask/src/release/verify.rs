//! Proof: the only maker of [`Verified`], which publishing demands. Reads bytes back from disk.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::rules::Findings;
use noetl_oci::{Blob, KnownLayers, Layout};

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::release::check::{self, Files, ImageRules};
use crate::release::dist_manifest::DistManifest;
use crate::release::rules::A1;

/// A value whose bytes were read back and found right.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Verified<T> {
    /// Returns the value.
    pub(crate) fn value(&self) -> &T {
        &self.0
    }
}

impl Verified<Layout> {
    /// Returns the same after its file was renamed.
    pub(crate) fn renamed(self, from: &Utf8Path, to: &Utf8Path) -> Self {
        Self(self.0.renamed(from, to))
    }
}

/// Checks every file in a dist folder; returns its manifest as well when that could be read.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn check_dist(
    ctx: &Ctx,
    folder: &Utf8Path,
    image: ImageRules<'_>,
) -> anyhow::Result<(Findings, Option<DistManifest>)> {
    let mut files = Files::new();
    let mut strange = Vec::new();
    let cannot = || format!("cannot list {folder}");
    for entry in folder.read_dir_utf8().with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name().to_owned();
        // Links are not followed: a link is not what is uploaded. A pipe would be waited for.
        if entry.file_type().with_context(cannot)?.is_file() {
            files.insert(name, Blob::of_file(entry.path())?);
        } else {
            strange.push(name);
        }
    }
    let (mut findings, dist_manifest) = check::check(&files, &own_folders(ctx), image);
    for name in strange {
        findings.add(&A1, name, "it is not a regular file");
    }
    Ok((findings, dist_manifest))
}

/// Returns the folders of this machine that must not stand in a binary, but for those that paths are mapped to.
fn own_folders(ctx: &Ctx) -> Vec<String> {
    let folders = [&ctx.root, &ctx.cargo_home, &ctx.target_dir];
    let own = folders
        .into_iter()
        .filter(|folder| folder.components().count() > 2);
    own.map(ToString::to_string).collect()
}

/// Proves a dist folder.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn dist(
    ctx: &Ctx,
    folder: &Utf8Path,
    image: ImageRules<'_>,
) -> anyhow::Result<Verified<DistManifest>> {
    let (findings, dist_manifest) = check_dist(ctx, folder, image)?;
    conclude(&findings, folder.as_str())?;
    let dist_manifest = dist_manifest.with_context(|| format!("{folder} has no manifest"))?;
    Ok(Verified(dist_manifest))
}

/// Proves an image layout on disk, in either form. `known` are layers that were read before.
///
/// # Errors
/// When a rule is broken, or the file cannot be read.
pub(crate) fn image(
    path: &Utf8Path,
    image: ImageRules<'_>,
    known: &KnownLayers,
) -> anyhow::Result<Verified<Layout>> {
    let layout = Layout::open(path)?;
    conclude(&image.check(&layout, known)?, path.as_str())?;
    Ok(Verified(layout))
}

/// Prints all findings, then fails once when any of them is an error.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn conclude(findings: &Findings, object: &str) -> anyhow::Result<()> {
    findings
        .lines()
        .iter()
        .for_each(|line| output::finding(line));
    refuse(findings, object)
}

/// Prints all findings as JSON on standard output, then fails in the same way.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn conclude_json(findings: &Findings, object: &str) -> anyhow::Result<()> {
    output::json(&findings.0)?;
    refuse(findings, object)
}

fn refuse(findings: &Findings, object: &str) -> anyhow::Result<()> {
    if findings.errors() == 0 {
        return Ok(());
    }
    Err(anyhow!("{object} breaks the rules: {}", findings.counts())).help(
        "`cargo xtask image check --explain ID` says what a rule is for; make it again after correcting the cause",
    )
}
