//! Makes dist/ from binaries: the packages of each, the tar of the image, the manifest and the checksums.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::{Blob, Layout, Sha256};

use crate::host::files;
use crate::release::cargo::Binary;
use crate::release::companions::Companion;
use crate::release::dist_manifest::{
    self, Alias, Archive, Artifact, Content, DistManifest, FILE_NAME, Image, SCHEMA, SUMS_NAME,
    Sbom, Wheel,
};
use crate::release::plan::Plan;
use crate::release::target::Format;
use crate::release::{archives, checksums, wheel, zip};

/// What the packages of a release are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// The binaries, in the order of the plan's targets.
    pub binaries: &'a [Binary],
    /// The SBOM of each binary.
    pub sboms: &'a [Vec<u8>],
    /// The files that every package has beside the binary.
    pub companions: &'a [Companion],
    /// The files of the Python package.
    pub launcher: &'a [Companion],
    /// The hash of the web page in every binary.
    pub ui_sha256: Sha256,
    /// The image, when there is one.
    pub image: Option<&'a Layout>,
}

/// Writes all files of dist/ to an empty folder.
///
/// # Errors
/// When a binary cannot be read, or a file cannot be written.
pub(crate) fn write_dist(plan: &Plan, inputs: Inputs<'_>, folder: &Utf8Path) -> anyhow::Result<()> {
    let release = &plan.release;
    let mut artifacts = Vec::new();
    let built = inputs.binaries.iter().zip(inputs.sboms);
    for (planned, (built, sbom)) in plan.packages.iter().zip(built) {
        let mut add = |name: &str, bytes: &[u8], content| {
            files::write(&folder.join(name), bytes)?;
            artifacts.push(artifact(folder, name, content)?);
            anyhow::Ok(())
        };
        let target = built.target;
        let bytes = files::read(&built.path)?;
        let content = Archive::describe(release, target, &bytes);
        let content = content.with_context(|| format!("cannot read {}", built.path))?;
        let facts = content.facts.clone();
        for format in planned.formats {
            match format {
                Format::Archive => {
                    let entries =
                        archives::entries(release, target, bytes.clone(), inputs.companions);
                    let packed = archives::pack(target, &entries, release.commit_time)?;
                    let content = Content::Archive(content.clone());
                    add(&planned.archive, &packed, content)?;
                    let of = planned.archive.clone();
                    add(&planned.alias, &packed, Content::Alias(Alias { of }))?;
                }
                Format::Sbom => {
                    let target = target.triple.to_owned();
                    add(&planned.sbom, sbom, Content::Sbom(Sbom { target }))?;
                }
                Format::Wheel => {
                    let tags = wheel::tags(target, &facts)?;
                    let contents = wheel::Contents {
                        binary: bytes.clone().into(),
                        launcher: inputs.launcher.to_vec(),
                        companions: inputs.companions.to_vec(),
                        sbom: sbom.clone(),
                    };
                    let entries = wheel::entries(release, target, &tags, &contents)?;
                    let packed = zip::pack(&entries, release.commit_time)?;
                    let name = wheel::file_name(release, &tags)?;
                    let target = target.triple.to_owned();
                    add(&name, &packed, Content::Wheel(Wheel { target, tags }))?;
                }
            }
        }
    }
    if let Some(layout) = inputs.image {
        let name = dist_manifest::image_name(release);
        layout.write_tar(&folder.join(&name), release.commit_time)?;
        let content = Content::Image(Image::describe(layout)?);
        artifacts.push(artifact(folder, &name, content)?);
    }
    artifacts.sort_by(|one, other| one.name.cmp(&other.name));
    let sums = artifacts.iter().map(|it| (it.name.clone(), it.sha256));
    let mut sums: BTreeMap<_, _> = sums.collect();
    let targets = inputs.binaries.iter().map(|it| it.target.triple.to_owned());
    let dist_manifest = DistManifest {
        schema: SCHEMA,
        release: release.clone(),
        targets: targets.collect(),
        ui_sha256: inputs.ui_sha256,
        companions: inputs.companions.iter().map(Companion::describe).collect(),
        launcher: inputs.launcher.iter().map(Companion::describe).collect(),
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
