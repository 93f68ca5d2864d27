//! What an image promises to a cluster: its platforms, and how each of them runs.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::Value;

use crate::oci::opened::{Child, Opened};

/// An image as a scheduler and a kubelet see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// `sha256:…` of the image index, or of the image where there is no index.
    pub digest: String,
    /// One per platform; attestations that pose as platforms are left out.
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
    /// Whether it is an image of NoETL by its labels, so that we know what it listens on and writes to.
    pub is_noetl: bool,
}

impl ImageFacts {
    /// Reads them; layers are not looked at.
    ///
    /// # Errors
    /// When the image has no platform at all.
    pub(crate) fn of(image: &Opened) -> anyhow::Result<Self> {
        let platforms: Vec<_> = image
            .children
            .iter()
            .filter(|child| !child.config["architecture"].is_null() && !child.is_attestation())
            .map(PlatformFacts::of)
            .collect();
        ensure!(!platforms.is_empty(), "it has no image for any platform");
        Ok(Self {
            digest: image.digest.clone(),
            platforms,
        })
    }

    /// The architectures it is for, sorted.
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
    fn of(child: &Child) -> Self {
        let run = &child.config["config"];
        let port = |name: &String| match name.split_once('/') {
            Some((port, "tcp")) => port.parse::<u16>().ok(),
            Some(_) => None,
            None => name.parse().ok(),
        };
        let ports = run["ExposedPorts"].as_object();
        let variables = run["Env"].as_array().into_iter().flatten();
        let label = |name: &str| &run["Labels"][format!("org.opencontainers.image.{name}")];
        Self {
            // The index's word is what a node chooses by.
            architecture: child
                .platform
                .split('/')
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
            user: run["User"].as_str().unwrap_or_default().to_owned(),
            ports: ports
                .into_iter()
                .flat_map(|ports| ports.keys())
                .filter_map(port)
                .collect(),
            env: variables
                .filter_map(Value::as_str)
                .filter_map(|variable| variable.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            is_noetl: label("title") == "noetl" && label("vendor") == "NoETL",
        }
    }
}
