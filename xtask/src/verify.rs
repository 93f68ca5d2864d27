//! Proof: the only maker of [`Verified`], which publishing demands. Reads bytes back from disk.

use anyhow::bail;
use camino::Utf8Path;

use crate::check::archive::Files;
use crate::check::{Findings, archive, image};
use crate::dist_manifest::DistManifest;
use crate::error::WithHelp as _;
use crate::files;
use crate::oci::layout::Layout;
use crate::target::Platform;

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
pub(crate) fn check_dist(folder: &Utf8Path) -> anyhow::Result<(Findings, Option<DistManifest>)> {
    let read = |name: String| Ok((name.clone(), files::read(&folder.join(name))?));
    let files = files::below(folder)?
        .into_iter()
        .map(read)
        .collect::<anyhow::Result<Files>>()?;
    Ok(archive::check(&files))
}

/// Proves a dist folder.
pub(crate) fn dist(folder: &Utf8Path) -> anyhow::Result<Verified<DistManifest>> {
    let (findings, manifest) = check_dist(folder)?;
    conclude(&findings, folder.as_str())?;
    Ok(Verified(
        manifest.expect("a dist without a manifest has findings"),
    ))
}

/// Proves an image layout on disk, in either form.
pub(crate) fn image(path: &Utf8Path, platforms: &[Platform]) -> anyhow::Result<Verified<Layout>> {
    let layout = Layout::open(path)?;
    conclude(&image::check(&layout, platforms), path.as_str())?;
    Ok(Verified(layout))
}

/// Prints all findings, then fails once when any of them is an error.
pub(crate) fn conclude(findings: &Findings, object: &str) -> anyhow::Result<()> {
    for line in findings.lines() {
        eprintln!("{line}");
    }
    match findings.errors() {
        0 => Ok(()),
        errors => failed(errors, object),
    }
}

fn failed(errors: usize, object: &str) -> anyhow::Result<()> {
    let fail = || -> anyhow::Result<()> { bail!("{object} breaks the rules: {errors} errors") };
    fail().help(
        "`cargo xtask image check --explain ID` says what a rule is for; build it anew to mend it",
    )
}
