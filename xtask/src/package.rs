//! From binaries to artifacts: archives, the image, the manifest and the checksums, as the plan says.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;

use crate::cargo::Binary;
use crate::ctx::Ctx;
use crate::digest::{self, Sha256};
use crate::dist_manifest::{
    Archive, Artifact, Content, DistManifest, FILE_NAME, Image, PlatformImage, SUMS_NAME,
};
use crate::oci::image;
use crate::oci::layout::Layout;
use crate::oci::model::ImageIndex;
use crate::plan::Plan;
use crate::target::{Platform, Target};
use crate::{archive, binary, files, sh};

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
    let progress = sh::progress(ctx, binaries.len() as u64, "pack");
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
        let content = describe(plan, built.target, &bytes)
            .with_context(|| format!("cannot read {}", built.path))?;
        artifacts.push(write(
            folder,
            &archive.name,
            &packed,
            Content::Archive(content),
        )?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if let Some((layout, tar)) = image(plan, binaries)? {
        let content = describe_image(plan, &layout)?;
        artifacts.push(write(
            folder,
            &plan.image_file,
            &tar,
            Content::Image(content),
        )?);
    }
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    let mut sums: BTreeMap<_, _> = artifacts
        .iter()
        .map(|artifact| (artifact.name.clone(), artifact.sha256))
        .collect();
    let manifest = DistManifest {
        schema: 1,
        release: plan.release.clone(),
        ui_sha256,
        artifacts,
    };
    let manifest = format!("{}\n", serde_json::to_string_pretty(&manifest)?);
    sums.insert(FILE_NAME.to_owned(), Sha256::of(manifest.as_bytes()));
    files::write(&folder.join(FILE_NAME), manifest)?;
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

fn describe(plan: &Plan, target: &Target, bytes: &[u8]) -> anyhow::Result<Archive> {
    Ok(Archive {
        target: target.triple.to_owned(),
        binary: format!(
            "{}/{}",
            archive::stem(&plan.release, target),
            target.binary_name()
        ),
        binary_size: bytes.len() as u64,
        binary_sha256: Sha256::of(bytes),
        facts: binary::facts(bytes)?,
    })
}

fn describe_image(plan: &Plan, layout: &Layout) -> anyhow::Result<Image> {
    let root = layout.image_index()?;
    let index: ImageIndex =
        serde_json::from_slice(layout.blob(&root.digest).context("the index is missing")?)?;
    let planned = plan.image.as_ref().context("no image is planned")?;
    let platforms = planned
        .platforms
        .iter()
        .zip(index.manifests)
        .map(|(platform, child)| PlatformImage {
            platform: platform.to_string(),
            digest: child.digest,
        });
    Ok(Image {
        index_digest: root.digest,
        references: planned.references.iter().map(ToString::to_string).collect(),
        platforms: platforms.collect(),
    })
}
