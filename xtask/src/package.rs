//! From binaries to artifacts: archives, the image, the manifest and the checksums, as the plan says.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;

use crate::cargo::Binary;
use crate::ctx::Ctx;
use crate::digest::{self, Sha256};
use crate::dist_manifest::{
    self, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SUMS_NAME,
};
use crate::oci::image;
use crate::oci::layout::Layout;
use crate::plan::Plan;
use crate::target::Platform;
use crate::{archive, files};

/// Fills an empty folder with everything that dist/ holds.
pub(crate) fn write_dist(
    ctx: &Ctx,
    plan: &Plan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let license = files::read(&ctx.root.join("LICENSE"))?;
    let readme = files::read(&ctx.root.join("README.md"))?;
    let mut artifacts = Vec::new();
    for (archive, built) in plan.archives.iter().zip(binaries) {
        let bytes = files::read(&built.path)?;
        let entries = archive::entries(
            &plan.release,
            built.target,
            bytes.clone(),
            &license,
            &readme,
        );
        let packed = archive::pack(built.target, &entries, plan.release.commit_time)?;
        let content = Archive::describe(&plan.release, built.target, &bytes)
            .with_context(|| format!("cannot read {}", built.path))?;
        artifacts.push(write(
            folder,
            &archive.name,
            &packed,
            Content::Archive(content),
        )?);
    }
    if let Some((layout, tar)) = image(plan, binaries)? {
        let content = Image::describe(&layout)?;
        artifacts.push(write(
            folder,
            &dist_manifest::image_name(&plan.release),
            &tar,
            Content::Image(content),
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
    let release = plan.release.clone();
    let dist_manifest = DistManifest {
        schema: 1,
        release,
        targets,
        ui_sha256,
        artifacts,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&dist_manifest)?);
    sums.insert(FILE_NAME.to_owned(), Sha256::of(text.as_bytes()));
    files::write(&folder.join(FILE_NAME), text)?;
    files::write(&folder.join(SUMS_NAME), digest::write_sums(&sums))
}

/// Assembles the planned image: its layout and its tar.
pub(crate) fn image(plan: &Plan, binaries: &[Binary]) -> anyhow::Result<Option<(Layout, Vec<u8>)>> {
    let Some(image) = &plan.image else {
        return Ok(None);
    };
    let binary = |platform: &Platform| {
        let built = binaries
            .iter()
            .find(|built| built.target.platform() == Some(*platform));
        files::read(
            &built
                .with_context(|| format!("no binary for {platform}"))?
                .path,
        )
    };
    let contents = image
        .platforms
        .iter()
        .map(binary)
        .collect::<anyhow::Result<_>>()?;
    let layout = image::assemble(image, contents)?;
    let tar = layout.to_tar(image.docker_platform, &image.references, image.commit_time)?;
    Ok(Some((layout, tar)))
}

fn write(
    folder: &Utf8Path,
    name: &str,
    bytes: &[u8],
    content: Content,
) -> anyhow::Result<Artifact> {
    files::write(&folder.join(name), bytes)?;
    Ok(Artifact {
        name: name.to_owned(),
        size: bytes.len() as u64,
        sha256: Sha256::of(bytes),
        content,
    })
}
