//! Verification: reads files back from disk and returns them as [`Verified`], the only type that can be published.

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8Path;
use noetl_help::Help as _;
use noetl_oci::rules::Findings;
use noetl_oci::{Blob, KnownLayers, Layout, Sha256};

use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::release::check::{self, Files, ImageRules};
use crate::release::checksums;
use crate::release::dist_manifest::{DistManifest, FILE_NAME, FOLDERS};
use crate::release::rules::A1;

/// A value whose files were read back and break no rule.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Verified<T> {
    /// Returns the value.
    pub(crate) fn value(&self) -> &T {
        &self.0
    }
}

impl Verified<Layout> {
    /// Returns the layout after its file was renamed.
    pub(crate) fn renamed(self, from: &Utf8Path, to: &Utf8Path) -> Self {
        Self(self.0.renamed(from, to))
    }
}

/// Checks every file in a dist folder; returns the findings with its manifest, which is `None` when it cannot be read.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn check_dist(
    ctx: &Ctx,
    folder: &Utf8Path,
    image: ImageRules<'_>,
) -> anyhow::Result<(Findings, Option<DistManifest>)> {
    let mut files = Files::new();
    let mut irregular = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let cannot = || format!("cannot list {folder}");
        for entry in folder.read_dir_utf8().with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = format!("{prefix}{}", entry.file_name());
            let kind = entry.file_type().with_context(cannot)?;
            // Links are not uploaded, and reading a pipe would block.
            if kind.is_file() {
                files.insert(name, Blob::of_file(entry.path())?);
            } else if kind.is_dir() && (!prefix.is_empty() || FOLDERS.contains(&name.as_str())) {
                folders.push((format!("{name}/"), entry.path().to_owned()));
            } else {
                irregular.push(name);
            }
        }
    }
    let (mut findings, dist_manifest) = check::check(&files, &own_folders(ctx), image);
    for name in irregular {
        findings.add(&A1, name, "it is not a regular file");
    }
    Ok((findings, dist_manifest))
}

/// Returns the folders of this machine that must not be in a binary. Short paths such as `/noetl` are left out, since
/// remapped paths contain them.
fn own_folders(ctx: &Ctx) -> Vec<String> {
    let folders = [&ctx.root, &ctx.cargo_home, &ctx.target_dir].into_iter();
    let own = folders.filter(|folder| folder.components().count() > 2);
    own.map(ToString::to_string).collect()
}

/// Verifies a dist folder.
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

/// Returns a dist whose files have the hash that was recorded when they were verified; see [`checksums::of_folder`].
///
/// # Errors
/// When a file was added, removed or changed since, or cannot be read.
pub(crate) fn unchanged(
    folder: &Utf8Path,
    recorded: Sha256,
) -> anyhow::Result<Verified<DistManifest>> {
    let found = checksums::of_folder(folder)?;
    ensure!(
        found == recorded,
        "a file in {folder} is not the one that was verified"
    );
    let text = files::read_to_string(&folder.join(FILE_NAME))?;
    Ok(Verified(serde_json::from_str(&text)?))
}

/// Verifies an image layout, which is a folder or a tar. `known` contains layers that have been read before.
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

/// Prints all findings and fails when one of them is an error.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn conclude(findings: &Findings, object: &str) -> anyhow::Result<()> {
    for line in findings.lines() {
        output::finding(&line);
    }
    refuse(findings, object)
}

/// Prints all findings as JSON on standard output and fails when one of them is an error.
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
    let help =
        "`cargo xtask image check --explain ID` explains a rule; correct the cause and build again";
    Err(anyhow!("{object} breaks the rules: {}", findings.counts())).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::target::Target;

    #[test]
    fn a_dist_is_unchanged_while_every_file_is() {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(guard.path()).unwrap();
        for (name, blob) in fixtures::dist(fixtures::program as fn(&Target) -> Vec<u8>) {
            files::write(&folder.join(name), blob.read().unwrap()).unwrap();
        }
        let recorded = checksums::of_folder(folder).unwrap();
        let dist = unchanged(folder, recorded).unwrap();
        let first = folder.join(&dist.value().artifacts[0].name);
        let bytes = files::read(&first).unwrap();

        files::write(&folder.join("added"), "").unwrap();
        assert!(unchanged(folder, recorded).is_err());
        files::remove(&folder.join("added")).unwrap();
        assert!(unchanged(folder, recorded).is_ok());

        files::write(&first, &bytes[1..]).unwrap();
        assert!(unchanged(folder, recorded).is_err());
        files::remove(&first).unwrap();
        assert!(unchanged(folder, recorded).is_err());
    }
}
