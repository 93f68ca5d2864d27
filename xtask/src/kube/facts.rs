//! What an image promises to a cluster: its platforms, and how each of them runs.

use std::collections::BTreeMap;

use anyhow::ensure;
use noetl_oci::annotation::{TITLE, VENDOR};
use noetl_oci::{Image, PlatformImage};

/// An image as a scheduler and a kubelet see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// `sha256:…` of the image index, or of the image where there is no index.
    pub digest: String,
    /// One per platform, without attestations.
    pub platforms: Vec<PlatformFacts>,
}

/// How one platform's image runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformFacts {
    /// Go's name of the architecture, which is what `kubernetes.io/arch` says too.
    pub architecture: String,
    /// The config's user; empty for root.
    pub user: String,
    /// TCP ports that the config exposes.
    pub ports: Vec<u16>,
    /// Variables that the config sets.
    pub env: BTreeMap<String, String>,
    /// Whether it is an image of NoETL by its labels, so that it is known what it listens on and writes to.
    pub is_noetl: bool,
}

impl ImageFacts {
    /// Reads them; layers are not looked at.
    ///
    /// # Errors
    /// When the image has no platform at all.
    pub(crate) fn of(image: &Image) -> anyhow::Result<Self> {
        let platforms: Vec<_> = image
            .runnable()
            .filter(|image| image.config.is_some())
            .map(PlatformFacts::of)
            .collect();
        ensure!(!platforms.is_empty(), "it has no image for any platform");
        Ok(Self {
            digest: image.root()?.digest.clone(),
            platforms,
        })
    }

    /// Returns the architectures that it is for, sorted.
    pub(crate) fn architectures(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .platforms
            .iter()
            .map(|platform| platform.architecture.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl PlatformFacts {
    fn of(image: &PlatformImage) -> Self {
        let run = image.run().cloned().unwrap_or_default();
        let port = |name: &String| match name.split_once('/') {
            Some((port, "tcp")) => port.parse::<u16>().ok(),
            Some(_) => None,
            None => name.parse().ok(),
        };
        let ports = run.exposed_ports.unwrap_or_default();
        let env = run.env.unwrap_or_default();
        let variables = env.iter().filter_map(|variable| variable.split_once('='));
        let labels = run.labels.unwrap_or_default();
        let label = |key: &str| labels.get(key).map_or("", String::as_str);
        Self {
            // A node chooses by what the index says.
            architecture: image
                .platform()
                .map(|it| it.architecture)
                .unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            ports: ports.keys().filter_map(port).collect(),
            env: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            is_noetl: label(TITLE) == "noetl" && label(VENDOR) == "NoETL",
        }
    }
}
