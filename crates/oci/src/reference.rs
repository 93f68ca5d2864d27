//! Full image names, with a registry.

use std::fmt;
use std::str::FromStr;

use anyhow::{bail, ensure};
use serde::{Serialize, Serializer};

use crate::name::{ImageName, is_tag, not_a_tag};

/// A full image name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host with optional port.
    pub registry: String,
    /// Path within the registry.
    pub repository: String,
    /// Tag; `latest` when none was given.
    pub tag: String,
    /// `sha256:…`, which wins over the tag.
    pub digest: Option<String>,
}

impl Reference {
    /// Joins `--registry`, with or without a final slash, the image's name and a tag.
    pub fn join(registry: &str, name: &str, tag: &str) -> anyhow::Result<Self> {
        ensure!(
            !registry.contains("://"),
            "registry `{registry}` has a scheme; write the host alone, such as ghcr.io/noetl"
        );
        ensure!(is_tag(tag), "{}", not_a_tag(tag));
        format!("{}/{name}:{tag}", registry.trim_end_matches('/')).parse()
    }

    /// What `GET /v2/…/manifests/` takes: the digest when there is one, else the tag.
    pub fn tag_or_digest(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.tag)
    }

    /// Whether the registry is this very machine, where plain HTTP and dirty trees are fine.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.registry)
    }
}

/// Whether a host, with or without a port, is this very machine.
pub(crate) fn is_loopback_host(host_and_port: &str) -> bool {
    let host = match host_and_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl FromStr for Reference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let name: ImageName = text.parse()?;
        let Some(registry) = name.registry else {
            bail!(
                "`{text}` names no registry; write it in full, such as ghcr.io/noetl/noetl:latest"
            );
        };
        Ok(Self {
            registry,
            repository: name.repository,
            tag: name.tag.unwrap_or_else(|| "latest".to_owned()),
            digest: name.digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}:{}",
            self.registry, self.repository, self.tag
        )?;
        self.digest
            .as_ref()
            .map_or(Ok(()), |digest| write!(formatter, "@{digest}"))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_of_the_registry_does_not_matter() {
        for registry in ["ghcr.io/noetl", "ghcr.io/noetl/"] {
            assert_eq!(
                Reference::join(registry, "noetl", "t").unwrap().to_string(),
                "ghcr.io/noetl/noetl:t"
            );
        }
        let local = Reference::join("127.0.0.1:5000", "noetl", "1.2").unwrap();
        assert_eq!(
            (local.registry.as_str(), local.repository.as_str()),
            ("127.0.0.1:5000", "noetl")
        );
    }

    #[test]
    fn what_is_joined_is_looked_at_by_itself() {
        let digest = format!("t@sha256:{}", "0".repeat(64));
        for (registry, tag) in [
            ("https://ghcr.io/x", "t"),
            ("ghcr.io/x", digest.as_str()),
            ("ghcr.io/x", ""),
            ("./x", "t"),
        ] {
            assert!(
                Reference::join(registry, "noetl", tag).is_err(),
                "{registry} {tag}"
            );
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for name in [
            "localhost/a/b",
            "127.0.0.1:5000/a",
            "[::1]:5000/a",
            "127.8.9.1/a",
        ] {
            assert!(name.parse::<Reference>().unwrap().is_loopback(), "{name}");
        }
        for name in [
            "localhost.example.com/a",
            "10.0.0.1/a",
            "127.example.com/a",
            "ghcr.io/a",
        ] {
            assert!(!name.parse::<Reference>().unwrap().is_loopback(), "{name}");
        }
    }

    #[test]
    fn what_no_registry_would_take_is_refused() {
        for name in [
            "noetl:t",
            "ghcr.io/NoETL/a",
            "ghcr.io/a//b",
            "ghcr.io/a:.b",
            "ghcr.io/a:",
            "ghcr.io/a@sha256:zz",
        ] {
            assert!(name.parse::<Reference>().is_err(), "{name}");
        }
        let pinned = format!("ghcr.io/a/b@sha256:{}", "0".repeat(64))
            .parse::<Reference>()
            .unwrap();
        assert_eq!(pinned.tag_or_digest(), format!("sha256:{}", "0".repeat(64)));
    }
}
