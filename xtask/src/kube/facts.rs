//! The facts about an image that decide whether a cluster can run it: its platforms, and how a container of each starts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use noetl_oci::annotation::{TITLE, VENDOR};
use noetl_oci::{Image, PlatformImage};

/// What a scheduler and a kubelet know about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// The digest (`sha256:…`) of the image index, or of the image when there is no index.
    pub digest: String,
    /// The image of each platform, without attestations.
    pub platforms: Vec<PlatformFacts>,
}

/// How a container of one platform's image starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformFacts {
    /// Go's name of the architecture, which is also the value of `kubernetes.io/arch`.
    pub architecture: String,
    /// The config's user; empty for root.
    pub user: String,
    /// The TCP ports that the config exposes.
    pub ports: Vec<u16>,
    /// The variables that the config sets.
    pub env: BTreeMap<String, String>,
    /// Whether its labels are those of NoETL, whose ports and folders are known.
    pub is_noetl: bool,
}

impl ImageFacts {
    /// Reads the facts from an image's documents; layers are not read.
    ///
    /// # Errors
    /// When the image has no platform.
    pub(crate) fn of(image: &Image) -> anyhow::Result<Self> {
        let images = image.runnable().filter(|image| image.config.is_some());
        let platforms: Vec<_> = images.map(PlatformFacts::of).collect();
        ensure!(!platforms.is_empty(), "it has no image for any platform");
        Ok(Self {
            digest: image.root()?.digest.clone(),
            platforms,
        })
    }

    /// Returns the architectures that it is for, sorted.
    pub(crate) fn architectures(&self) -> Vec<&str> {
        let platforms = self.platforms.iter();
        let names: BTreeSet<_> = platforms.map(|it| it.architecture.as_str()).collect();
        names.into_iter().collect()
    }
}

impl PlatformFacts {
    fn of(image: &PlatformImage) -> Self {
        let run = image.run().cloned().unwrap_or_default();
        let ports = run.exposed_ports.unwrap_or_default();
        let port = |name: &String| name.strip_suffix("/tcp").unwrap_or(name).parse().ok();
        let env = run.env.unwrap_or_default();
        let variables = env.iter().filter_map(|variable| variable.split_once('='));
        let labels = run.labels.unwrap_or_default();
        let has_label = |key: &str, value: &str| labels.get(key).is_some_and(|it| it == value);
        let platform = image.platform();
        Self {
            // The index decides which image a node takes.
            architecture: platform.map(|it| it.architecture).unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            ports: ports.keys().filter_map(port).collect(),
            env: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            is_noetl: has_label(TITLE, "noetl") && has_label(VENDOR, "NoETL"),
        }
    }
}
