//! `dist-manifest.json`: what is in dist/, for machines. Written by `dist`, proved by `verify`.

use anyhow::Context as _;
use noetl_oci::{Image as OciImage, Layout, Sha256};
use serde::{Deserialize, Serialize};

use crate::release::archives;
use crate::release::binary::{self, Facts};
use crate::release::target::Target;
use crate::release::version::Release;

/// The file's name in dist/.
pub(crate) const FILE_NAME: &str = "dist-manifest.json";
/// The checksum file's name in dist/.
pub(crate) const SUMS_NAME: &str = "SHA256SUMS";

/// Everything in dist/ but this file and the checksums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistManifest {
    /// Layout of this object; 1.
    pub schema: u32,
    /// Version, tag, commit and time.
    pub release: Release,
    /// rustc's target triples, one archive each.
    pub targets: Vec<String>,
    /// Hash of the web page's tree that every binary embeds.
    pub ui_sha256: Sha256,
    /// The files, in name order.
    pub artifacts: Vec<Artifact>,
}

/// A file in dist/.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    /// File name.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// What it is.
    pub content: Content,
}

/// What a file in dist/ is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Content {
    /// A tar.gz or zip with one binary.
    Archive(Archive),
    /// An OCI image for several platforms as one tar.
    Image(Image),
}

/// Returns the file name of a release's image.
pub(crate) fn image_name(release: &Release) -> String {
    format!("noetl-{}-image.tar", release.tag)
}

impl Content {
    /// Returns the target of an archive.
    pub(crate) fn target(&self) -> Option<&str> {
        match self {
            Self::Archive(archive) => Some(&archive.target),
            Self::Image(_) => None,
        }
    }
}

impl Archive {
    /// Describes the archive of `target` around a binary.
    pub(crate) fn describe(
        release: &Release,
        target: &Target,
        binary: &[u8],
    ) -> anyhow::Result<Self> {
        Ok(Self {
            target: target.triple.to_owned(),
            binary: format!(
                "{}/{}",
                archives::stem(release, target),
                target.binary_name()
            ),
            binary_size: binary.len() as u64,
            binary_sha256: Sha256::of(binary),
            facts: binary::facts(binary)?,
        })
    }
}

impl Image {
    /// Describes an image by what its own documents say.
    pub(crate) fn describe(layout: &Layout) -> anyhow::Result<Self> {
        let image = OciImage::read(layout)?;
        let root = image.root()?;
        let index = image.index()?.context("the image index is missing")?;
        let platforms = index.document.value.manifests.iter().map(|child| {
            let platform = child.platform.as_ref();
            Ok(PlatformImage {
                platform: platform.context("a child without a platform")?.to_string(),
                digest: child.digest.clone(),
            })
        });
        Ok(Self {
            index_digest: root.digest.clone(),
            references: image.full_names(),
            platforms: platforms.collect::<anyhow::Result<_>>()?,
        })
    }
}

/// What is in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Archive {
    /// rustc's target triple.
    pub target: String,
    /// Path of the binary in the archive.
    pub binary: String,
    /// Length of the binary in bytes.
    pub binary_size: u64,
    /// SHA-256 of the binary.
    pub binary_sha256: Sha256,
    /// What the binary's headers say.
    pub facts: Facts,
}

/// What is in an image tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// `sha256:…` of the image index: what to pin.
    pub index_digest: String,
    /// The names it carries.
    pub references: Vec<String>,
    /// One image per platform.
    pub platforms: Vec<PlatformImage>,
}

/// One platform's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformImage {
    /// Such as `linux/arm64/v8`.
    pub platform: String,
    /// `sha256:…` of its manifest.
    pub digest: String,
}
