//! `dist-manifest.json`: what is in dist/, for machines. Written by `dist`, proved by `verify`.

use serde::{Deserialize, Serialize};

use crate::binary::Facts;
use crate::digest::Sha256;
use crate::release::Release;

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
