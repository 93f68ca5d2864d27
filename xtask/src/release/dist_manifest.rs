//! `dist-manifest.json`: the machine-readable list of the files in dist/. `dist` writes it, and `verify` checks it.

use anyhow::Context as _;
use noetl_oci::{Image as OciImage, Layout, Sha256};
use serde::{Deserialize, Serialize};

use crate::release::binary::{self, Facts};
use crate::release::packages::companions::Described;
use crate::release::packages::recipes::Download;
use crate::release::packages::{apt, archives, dnf, recipes};
use crate::release::proof::Proof;
use crate::release::target::{Format, Target};
use crate::release::version::Release;

/// The version of the format.
pub(crate) const SCHEMA: u32 = 3;
/// The file's name in dist/.
pub(crate) const FILE_NAME: &str = "dist-manifest.json";
/// The checksum file's name in dist/.
pub(crate) const SUMS_NAME: &str = "SHA256SUMS";

/// The folders in dist/. Files in them are for other places than the downloads of a release.
pub(crate) const FOLDERS: [&str; 3] = [apt::FOLDER, dnf::FOLDER, recipes::FOLDER];

/// The content of `dist-manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DistManifest {
    /// The version of this format, [`SCHEMA`].
    pub schema: u32,
    /// Version, tag, commit and time.
    pub release: Release,
    /// The target triples; each has an archive.
    pub targets: Vec<String>,
    /// The hash of the web page in every binary.
    pub ui_sha256: Sha256,
    /// The files that every package has beside the binary, in path order.
    pub companions: Vec<Described>,
    /// The files of the Python package in every wheel.
    pub launcher: Vec<Described>,
    /// The files besides this one and the checksums, in name order.
    pub artifacts: Vec<Artifact>,
}

/// A file in dist/.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    /// The path in dist/; that of a file in a repository has slashes.
    pub name: String,
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the file.
    pub sha256: Sha256,
    /// How its program was proved on the machine that made it.
    pub proof: Proof,
    /// What the file is.
    pub content: Content,
}

/// What a file in dist/ is, with its properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Content {
    /// A tar.gz or zip with one binary.
    Archive(Archive),
    /// A tar.gz with the binary for both kinds of Macs.
    Universal,
    /// A tar of an OCI image for several platforms.
    Image(Image),
    /// The SBOM of a binary, in CycloneDX.
    Sbom(Sbom),
    /// A Python wheel with one binary.
    Wheel(Wheel),
    /// The sources for Python's package index.
    Sdist,
    /// An npm package.
    Npm(Npm),
    /// A Debian package.
    Deb(System),
    /// An RPM package.
    Rpm(System),
    /// A script that installs an archive.
    Installer,
    /// What another package manager installs an archive by.
    Recipe,
    /// A list of packages in the repository for apt or dnf, its signature, or the key of it.
    Repository,
    /// The same bytes as another file: under a name that does not change with the version, or in a repository.
    Alias(Alias),
}

/// Returns the file name of a release's image.
pub(crate) fn image_name(release: &Release) -> String {
    format!("noetl-{}-image.tar", release.tag)
}

/// Returns the archives among the files of a dist, in the order of the targets; those that are on request are left out,
/// since their systems run one of the others.
pub(crate) fn downloads(artifacts: &[Artifact]) -> Vec<Download> {
    let found = artifacts.iter().filter_map(|artifact| {
        let Content::Archive(archive) = &artifact.content else {
            return None;
        };
        let target = Target::find(&archive.target)?;
        target.is_default().then(|| Download {
            target,
            name: artifact.name.clone(),
            sha256: artifact.sha256,
            macos_minimum: archive.facts.macos_minimum,
        })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|it| Target::position(it.target));
    found
}

impl Artifact {
    /// Whether people download it by its name; the others are in one of [`FOLDERS`].
    pub(crate) fn is_download(&self) -> bool {
        !self.name.contains('/')
    }
}

impl Content {
    /// Returns the format of a file that is made of one binary, and the binary's target.
    pub(crate) fn format(&self) -> Option<(Format, &str)> {
        match self {
            Self::Archive(archive) => Some((Format::Archive, &archive.target)),
            Self::Sbom(sbom) => Some((Format::Sbom, &sbom.target)),
            Self::Wheel(wheel) => Some((Format::Wheel, &wheel.target)),
            Self::Npm(npm) => npm.target.as_deref().map(|target| (Format::Npm, target)),
            Self::Deb(deb) => Some((Format::Deb, &deb.target)),
            Self::Rpm(rpm) => Some((Format::Rpm, &rpm.target)),
            Self::Image(_)
            | Self::Universal
            | Self::Sdist
            | Self::Installer
            | Self::Recipe
            | Self::Repository
            | Self::Alias(_) => None,
        }
    }
}

impl Archive {
    /// Describes the archive of `target` with this binary.
    pub(crate) fn describe(
        release: &Release,
        target: &Target,
        binary: &[u8],
    ) -> anyhow::Result<Self> {
        let folder = archives::stem(release, target);
        Ok(Self {
            target: target.triple.to_owned(),
            binary: format!("{folder}/{}", target.binary_name()),
            binary_size: binary.len() as u64,
            binary_sha256: Sha256::of(binary),
            facts: binary::facts(binary)?,
        })
    }
}

impl Image {
    /// Describes an image by its documents.
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

/// The properties of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Archive {
    /// The target triple.
    pub target: String,
    /// The path of the binary in the archive.
    pub binary: String,
    /// The length of the binary in bytes.
    pub binary_size: u64,
    /// The SHA-256 of the binary.
    pub binary_sha256: Sha256,
    /// The facts in the binary's headers.
    pub facts: Facts,
}

/// The properties of an SBOM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sbom {
    /// The target triple of the binary.
    pub target: String,
}

/// The properties of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wheel {
    /// The target triple.
    pub target: String,
    /// The platforms on which pip installs it.
    pub tags: Vec<String>,
}

/// The properties of an npm package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Npm {
    /// The package's name.
    pub package: String,
    /// The target triple of its program; the package that people install has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The properties of a package of a Linux distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct System {
    /// The target triple.
    pub target: String,
}

/// The properties of a second copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alias {
    /// The name of the file that it is a copy of.
    pub of: String,
}

/// The properties of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// The digest (`sha256:…`) of the image index, to pin the image with.
    pub index_digest: String,
    /// Its references.
    pub references: Vec<String>,
    /// The image of each platform.
    pub platforms: Vec<PlatformImage>,
}

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformImage {
    /// The platform, such as `linux/arm64/v8`.
    pub platform: String,
    /// The digest (`sha256:…`) of its manifest.
    pub digest: String,
}
