//! What the steps of a release are made of.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::semver::Version;
use noetl_oci::Blob;

use crate::publish::endpoints::Endpoints;
use crate::publish::items::crates::Crate;
use crate::publish::items::github::Release as GithubRelease;
use crate::release::dist_manifest::{self, DistManifest, SUMS_NAME};
use crate::release::packages::{apt, dnf};
use crate::release::verify::Verified;
use crate::release::version::Release;

/// The branch that releases are made from.
pub(crate) const BRANCH: &str = "main";

/// Whether a version is a build of the night: it is at GitHub and in the registry of images alone, and its commit is on no
/// branch.
pub(crate) fn is_nightly(version: &Version) -> bool {
    version.pre.starts_with("nightly")
}

/// What the steps are made of.
pub(crate) struct Inputs<'a> {
    /// The dist, and where it is.
    pub dist: &'a Verified<DistManifest>,
    pub folder: &'a Utf8Path,
    /// Further files of the release, such as the signature of `SHA256SUMS`.
    pub extra: Vec<Utf8PathBuf>,
    /// The crates in the order of their dependence.
    pub crates: Vec<Crate>,
    /// The text of the release, in Markdown.
    pub notes: String,
    /// Whether repositories for apt and dnf are published that have no signature.
    pub publishes_unsigned: bool,
    /// Whether it is a build of the night.
    pub is_nightly: bool,
    /// Whether no released version is newer, and it is no pre-release.
    pub is_newest: bool,
    /// The repository at GitHub.
    pub repository: String,
    pub endpoints: &'a Endpoints,
}

/// The repositories for Linux distributions, each with the file that its signature is in.
const SIGNATURES: [(&str, &str); 2] = [
    (apt::FOLDER, "apt/dists/stable/InRelease"),
    (dnf::FOLDER, "dnf/repodata/repomd.xml.asc"),
];

impl Inputs<'_> {
    /// Returns the folders of repositories that are not published, since nobody signed them.
    pub(crate) fn unsigned(&self) -> impl Iterator<Item = &'static str> {
        let artifacts = &self.manifest().artifacts;
        let has = |name: &str| artifacts.iter().any(|it| it.name.starts_with(name));
        let unsigned = SIGNATURES.iter().filter(move |(folder, signature)| {
            !self.publishes_unsigned && has(&format!("{folder}/")) && !has(signature)
        });
        unsigned.map(|(folder, _)| *folder)
    }

    pub(super) fn manifest(&self) -> &DistManifest {
        self.dist.value()
    }

    pub(super) fn release(&self) -> &Release {
        &self.manifest().release
    }

    pub(super) fn github(&self) -> GithubRelease {
        GithubRelease {
            repository: self.repository.clone(),
            tag: self.release().tag.clone(),
        }
    }

    pub(super) fn is_prerelease(&self) -> bool {
        self.release().version.contains('-')
    }

    /// Returns the files that people download from the release, by name.
    pub(super) fn files(&self) -> anyhow::Result<BTreeMap<String, Blob>> {
        let listed = self
            .manifest()
            .artifacts
            .iter()
            .filter(|it| it.is_download());
        let names = listed
            .map(|it| it.name.as_str())
            .chain([dist_manifest::FILE_NAME, SUMS_NAME]);
        let mut paths: Vec<_> = names.map(|name| self.folder.join(name)).collect();
        paths.extend(self.extra.iter().cloned());
        let file = |path: Utf8PathBuf| {
            let name = path.file_name().unwrap_or_default().to_owned();
            Ok((name, Blob::of_file(&path)?))
        };
        paths.into_iter().map(file).collect()
    }
}
