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
use crate::oci::base::Base;
use crate::oci::image::{self, Contents, ImagePlan};
use crate::oci::layer::LayerCache;
use crate::oci::layout::Layout;
use crate::plan::Plan;
use crate::ustar::Entry;
use crate::{archive, files};

/// Fills an empty folder with everything that dist/ holds.
pub(crate) fn write_dist(
    ctx: &Ctx,
    plan: &Plan,
    binaries: &[Binary],
    ui_sha256: Sha256,
    layers: &LayerCache,
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
    if let Some(image_plan) = &plan.image {
        let (layout, tar) = image(image_plan, binaries, Below::default(), layers)?;
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

/// What is under the binaries of an image.
#[derive(Debug, Default)]
pub(crate) struct Below {
    /// The base, for the planned platforms in their order.
    pub base: Option<Base>,
    /// Python packages per planned platform, or none at all.
    pub packages: Vec<Vec<Entry>>,
}

/// Assembles the planned image: its layout and its tar.
pub(crate) fn image(
    plan: &ImagePlan,
    binaries: &[Binary],
    below: Below,
    layers: &LayerCache,
) -> anyhow::Result<(Layout, Vec<u8>)> {
    let layout = layout(plan, binaries, below, layers)?;
    let tar = layout.to_tar(plan.docker_platform, &plan.references, plan.commit_time)?;
    Ok((layout, tar))
}

/// Assembles the planned image.
pub(crate) fn layout(
    plan: &ImagePlan,
    binaries: &[Binary],
    below: Below,
    layers: &LayerCache,
) -> anyhow::Result<Layout> {
    let mut packages = below.packages.into_iter();
    let contents = plan.platforms.iter().map(|platform| {
        let built = binaries
            .iter()
            .find(|built| built.target.platform() == Some(*platform))
            .with_context(|| format!("no binary for {platform}"))?;
        Ok(Contents {
            binary: files::read(&built.path)?,
            packages: packages.next().unwrap_or_default(),
        })
    });
    let contents = contents.collect::<anyhow::Result<_>>()?;
    image::assemble(plan, below.base.as_ref(), contents, layers)
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
