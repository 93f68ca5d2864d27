//! The plan of an image: everything that decides its bytes except the binaries, and where those come from.

use camino::Utf8PathBuf;
use noetl_oci::{Annotations, Platform, Reference};
use serde::Serialize;

use crate::host::command::CommandLine;
use crate::image::flavours::{self, Flavour};
use crate::image::labels::labels;
use crate::release::plan::Plan as BuildPlan;
use crate::release::target::platforms;
use crate::release::version::Release;

/// The port that the server listens on, and that the config exposes.
pub(crate) const PORT: u16 = 8082;

/// The value of `--base` for no base.
pub(crate) const SCRATCH: &str = "scratch";

/// What lines of history begin with.
pub(crate) const MAKER: &str = "cargo xtask image";

/// Everything that decides the bytes of an image except its binaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ImagePlan {
    /// Platforms in index order.
    pub platforms: Vec<Platform>,
    /// Full names of the image, the first in the list that `docker load` reads.
    pub references: Vec<Reference>,
    /// Labels of the config, which are the annotations of every manifest too.
    pub labels: Annotations,
    /// Every mtime and every `created`.
    pub commit_time: u64,
    /// `commit_time` as RFC 3339.
    pub created: String,
    /// The port that the config exposes.
    pub port: u16,
    /// The platform that the classic Docker engine loads from the tar.
    pub docker_platform: Platform,
    /// Its flavour.
    pub flavour: &'static Flavour,
    /// The name of the base image; `None` for an image of NoETL's own files only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// What `cargo xtask image` makes: the binaries, and the image around them.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// The commands that compile the binaries; none when the binaries are given.
    pub commands: Vec<CommandLine>,
    /// The given binaries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<Utf8PathBuf>,
    /// The build that `commands` are of; `None` when the binaries are given.
    #[serde(skip)]
    pub build: Option<BuildPlan>,
    /// The image.
    pub image: ImagePlan,
}

/// Plans the image around binaries: labels from the release, names from registry and tags.
pub(crate) fn image(
    release: &Release,
    platforms: &[Platform],
    references: &[Reference],
    docker_platform: &Platform,
) -> ImagePlan {
    ImagePlan {
        platforms: platforms.to_vec(),
        references: references.to_vec(),
        labels: labels(release),
        commit_time: release.commit_time,
        created: release.created(),
        port: PORT,
        docker_platform: docker_platform.clone(),
        flavour: flavours::plain(),
        base: None,
    }
}

/// Plans the image of a dist, whose tar lists amd64 for `docker load` on every machine.
pub(crate) fn of_dist(release: &Release, references: &[Reference]) -> ImagePlan {
    let platforms = platforms();
    image(release, &platforms, references, &platforms[0])
}

impl ImagePlan {
    /// Returns the image in another flavour, on `base` or else on the flavour's own base.
    pub(crate) fn flavoured(self, flavour: &'static Flavour, base: Option<String>) -> Self {
        let base = base.or_else(|| flavour.base.map(ToOwned::to_owned));
        Self {
            flavour,
            base: base.filter(|base| base != SCRATCH),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn labels_of_a_release() {
        let image = of_dist(&fixtures::release(), &[]);
        let labels = image.labels.iter();
        let labels: Vec<_> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        insta::assert_snapshot!(labels.join("\n"), @r"
        org.opencontainers.image.authors=NoETL
        org.opencontainers.image.created=2026-01-01T00:00:00Z
        org.opencontainers.image.description=Workflow automation from YAML playbooks: server, web page and command line in one binary
        org.opencontainers.image.documentation=https://noetl.io
        org.opencontainers.image.licenses=MIT
        org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567
        org.opencontainers.image.source=https://github.com/noetl/noetl
        org.opencontainers.image.title=noetl
        org.opencontainers.image.url=https://noetl.io
        org.opencontainers.image.vendor=NoETL
        org.opencontainers.image.version=1.2.3
        ");
        assert_eq!(image.docker_platform.to_string(), "linux/amd64");
    }
}
