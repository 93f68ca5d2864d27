//! From binaries to dist/: archives, the image's tar, the manifest and the checksums, as the plan says.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::{Blob, Layout, Sha256};

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::cargo::Binary;
use crate::release::dist_manifest::{
    self, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SUMS_NAME,
};
use crate::release::plan::Plan;
use crate::release::{archives, checksums};

/// Fills an empty folder with everything that dist/ holds.
///
/// # Errors
/// When a binary cannot be read, or a file cannot be written.
pub(crate) fn write_dist(
    ctx: &Ctx,
    plan: &Plan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    image: Option<&Layout>,
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let license = files::read(&ctx.root.join("LICENSE"))?;
    let readme = files::read(&ctx.root.join("README.md"))?;
    let release = &plan.release;
    let mut artifacts = Vec::new();
    for (archive, built) in plan.archives.iter().zip(binaries) {
        let target = built.target;
        let bytes = files::read(&built.path)?;
        let content = Archive::describe(release, target, &bytes)
            .with_context(|| format!("cannot read {}", built.path))?;
        let entries = archives::entries(release, target, bytes, &license, &readme);
        let packed = archives::pack(target, &entries, release.commit_time)?;
        files::write(&folder.join(&archive.name), packed)?;
        artifacts.push(artifact(folder, &archive.name, Content::Archive(content))?);
    }
    if let Some(layout) = image {
        let name = dist_manifest::image_name(release);
        layout.write_tar(&folder.join(&name), release.commit_time)?;
        artifacts.push(artifact(
            folder,
            &name,
            Content::Image(Image::describe(layout)?),
        )?);
    }
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    let mut sums: BTreeMap<_, _> = artifacts
        .iter()
        .map(|artifact| (artifact.name.clone(), artifact.sha256))
        .collect();
    let targets = binaries
        .iter()
        .map(|built| built.target.triple.to_owned())
        .collect();
    let dist_manifest = DistManifest {
        schema: 1,
        release: release.clone(),
        targets,
        ui_sha256,
        artifacts,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&dist_manifest)?);
    sums.insert(FILE_NAME.to_owned(), Sha256::of(text.as_bytes()));
    files::write(&folder.join(FILE_NAME), text)?;
    files::write(&folder.join(SUMS_NAME), checksums::write(&sums))
}

/// Describes a file of dist/ by its bytes on disk.
fn artifact(folder: &Utf8Path, name: &str, content: Content) -> anyhow::Result<Artifact> {
    let blob = Blob::of_file(&folder.join(name))?;
    Ok(Artifact {
        name: name.to_owned(),
        size: blob.length(),
        sha256: blob.sha256()?,
        content,
    })
}
