//! Makes dist/ from binaries: archives, the tar of the image, the manifest and the checksums.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::{Blob, Layout, Sha256};

use crate::host::files;
use crate::release::cargo::Binary;
use crate::release::companions::Companion;
use crate::release::dist_manifest::{
    self, Alias, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SCHEMA, SUMS_NAME,
};
use crate::release::plan::Plan;
use crate::release::{archives, checksums};

/// Writes all files of dist/ to an empty folder.
///
/// # Errors
/// When a binary cannot be read, or a file cannot be written.
pub(crate) fn write_dist(
    plan: &Plan,
    binaries: &[Binary],
    companions: &[Companion],
    ui_sha256: Sha256,
    image: Option<&Layout>,
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let release = &plan.release;
    let mut artifacts = Vec::new();
    for (archive, built) in plan.archives.iter().zip(binaries) {
        let target = built.target;
        let bytes = files::read(&built.path)?;
        let content = Archive::describe(release, target, &bytes);
        let content = content.with_context(|| format!("cannot read {}", built.path))?;
        let entries = archives::entries(release, target, bytes, companions);
        let packed = archives::pack(target, &entries, release.commit_time)?;
        files::write(&folder.join(&archive.name), &packed)?;
        files::write(&folder.join(&archive.alias), packed)?;
        let alias = Alias {
            of: archive.name.clone(),
        };
        artifacts.push(artifact(folder, &archive.name, Content::Archive(content))?);
        artifacts.push(artifact(folder, &archive.alias, Content::Alias(alias))?);
    }
    if let Some(layout) = image {
        let name = dist_manifest::image_name(release);
        layout.write_tar(&folder.join(&name), release.commit_time)?;
        let content = Content::Image(Image::describe(layout)?);
        artifacts.push(artifact(folder, &name, content)?);
    }
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    let sums = artifacts.iter().map(|it| (it.name.clone(), it.sha256));
    let mut sums: BTreeMap<_, _> = sums.collect();
    let targets = binaries.iter().map(|it| it.target.triple.to_owned());
    let dist_manifest = DistManifest {
        schema: SCHEMA,
        release: release.clone(),
        targets: targets.collect(),
        ui_sha256,
        companions: companions.iter().map(Companion::describe).collect(),
        artifacts,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&dist_manifest)?);
    sums.insert(FILE_NAME.to_owned(), Sha256::of(text.as_bytes()));
    files::write(&folder.join(FILE_NAME), text)?;
    files::write(&folder.join(SUMS_NAME), checksums::write(&sums))
}

/// Describes a file of dist/.
fn artifact(folder: &Utf8Path, name: &str, content: Content) -> anyhow::Result<Artifact> {
    let blob = Blob::of_file(&folder.join(name))?;
    Ok(Artifact {
        name: name.to_owned(),
        size: blob.length(),
        sha256: blob.sha256()?,
        content,
    })
}
