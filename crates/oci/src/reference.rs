//! Full image names, with a registry.

use std::fmt;
use std::str::FromStr;

use anyhow::{bail, ensure};
use serde::{Serialize, Serializer};

use crate::name::{ImageName, is_tag, not_a_tag};

/// A full image name, such as `ghcr.io/some/image:1.2` or `ghcr.io/some/image@sha256:…`.
///
/// Parsing fails when it has no registry, or when repository, tag or digest is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host, with a port if there is one.
    pub registry: String,
    /// The name of the repository in the registry, such as `some/image`.
    pub repository: String,
    /// The tag; `latest` when none was given.
    pub tag: String,
    /// The digest (`sha256:…`), if there is one; then the tag is not used to find the image.
    pub digest: Option<String>,
}

impl Reference {
    /// Returns the name of `tag` in the repository `name` below `registry`, which is a host with an optional path, such
    /// as `ghcr.io/some`, with or without a slash at its end.
    ///
    /// # Errors
    /// When `registry` begins with a scheme such as `https://`, or a part is not valid.
    pub fn join(registry: &str, name: &str, tag: &str) -> anyhow::Result<Self> {
        ensure!(
            !registry.contains("://"),
            "registry `{registry}` has a scheme; write only the host and path, such as ghcr.io/some"
        );
        ensure!(is_tag(tag), "{}", not_a_tag(tag));
        format!("{}/{name}:{tag}", registry.trim_end_matches('/')).parse()
    }

    /// Returns the digest if there is one, else the tag: the last part of `/v2/…/manifests/…`.
    pub fn tag_or_digest(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.tag)
    }

    /// Returns whether the registry is on this machine (`localhost` or a loopback address).
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.registry)
    }
}

/// Returns whether a host, with or without a port, is this machine: `localhost` or a loopback address.
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
            bail!("`{text}` has no registry; write it in full, such as ghcr.io/some/image:latest");
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
    fn a_slash_at_the_end_of_the_registry_is_ignored() {
        for registry in ["ghcr.io/some", "ghcr.io/some/"] {
            assert_eq!(
                Reference::join(registry, "image", "t").unwrap().to_string(),
                "ghcr.io/some/image:t"
            );
        }
        let local = Reference::join("127.0.0.1:5000", "image", "1.2").unwrap();
        assert_eq!(
            (local.registry.as_str(), local.repository.as_str()),
            ("127.0.0.1:5000", "image")
        );
    }

    #[test]
    fn each_joined_part_is_checked() {
        let digest = format!("t@sha256:{}", "0".repeat(64));
        for (registry, tag) in [
            ("https://ghcr.io/x", "t"),
            ("ghcr.io/x", digest.as_str()),
            ("ghcr.io/x", ""),
            ("./x", "t"),
        ] {
            assert!(
                Reference::join(registry, "image", tag).is_err(),
                "{registry} {tag}"
            );
        }
    }

    #[test]
    fn only_localhost_and_loopback_addresses_are_loopback() {
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
    fn names_that_no_registry_accepts_are_refused() {
        for name in [
            "image:t",
            "ghcr.io/Some/a",
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
