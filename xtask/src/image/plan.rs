//! The plan of an image: everything that decides it besides the bytes of its binaries, and where those come from.

use camino::Utf8PathBuf;
use noetl_oci::{Annotations, Platform, Reference};
use serde::{Serialize, Serializer};

use crate::host::command::CommandLine;
use crate::image::flavours::{self, Flavour};
use crate::image::labels::labels;
use crate::release::cargo::Binary;
use crate::release::plan::Plan as BuildPlan;
use crate::release::target::platforms;
use crate::release::version::Release;

/// The port that the server listens on, and that the config exposes.
pub(crate) const PORT: u16 = 8082;

/// What `--base` takes for no base at all.
pub(crate) const SCRATCH: &str = "scratch";

/// What lines of history begin with.
pub(crate) const MAKER: &str = "cargo xtask image";

/// Everything that decides an image besides its binaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ImagePlan {
    /// Platforms in index order.
    pub platforms: Vec<Platform>,
    /// Full names of the image, the first in the list that `docker load` reads.
    pub references: Vec<Reference>,
    /// Labels of the config and annotations of every manifest: one set.
    pub labels: Annotations,
    /// Every mtime and every `created`.
    pub commit_time: u64,
    /// `commit_time` as RFC 3339.
    pub created: String,
    /// The port that the config exposes.
    pub port: u16,
    /// The platform that the classic Docker engine loads from the tar.
    pub docker_platform: Platform,
    /// Which of the flavours it is.
    pub flavour: &'static Flavour,
    /// The base image as it was named; without one, NoETL's own files are all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// What is made by `image`: the binaries, and the image around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// Where the binaries come from.
    #[serde(flatten)]
    pub binaries: Binaries,
    /// The image.
    pub image: ImagePlan,
}

/// Where the binaries of an image come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binaries {
    /// They are given: nothing is compiled.
    Given(Vec<Binary>),
    /// This build makes them.
    Compiled(Box<BuildPlan>),
}

impl Binaries {
    /// Returns the commands that make them; none when they are given.
    pub(crate) fn commands(&self) -> &[CommandLine] {
        match self {
            Self::Given(_) => &[],
            Self::Compiled(build) => &build.commands,
        }
    }
}

impl Serialize for Binaries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            commands: &'a [CommandLine],
            #[serde(skip_serializing_if = "Vec::is_empty")]
            binaries: Vec<&'a Utf8PathBuf>,
        }
        let given = match self {
            Self::Given(binaries) => binaries.iter().map(|binary| &binary.path).collect(),
            Self::Compiled(_) => Vec::new(),
        };
        let fields = Fields {
            commands: self.commands(),
            binaries: given,
        };
        fields.serialize(serializer)
    }
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

/// Plans the image of a dist: `docker load` takes amd64 from it, whatever machine builds it.
pub(crate) fn of_dist(release: &Release, references: &[Reference]) -> ImagePlan {
    let platforms = platforms();
    image(release, &platforms, references, &platforms[0])
}

impl ImagePlan {
    /// Returns the same image in another flavour, on the base named, or on the flavour's own.
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
    fn the_image_says_where_it_comes_from() {
        let image = of_dist(&fixtures::release(), &[]);
        let labels: Vec<_> = image
            .labels
            .iter()
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
