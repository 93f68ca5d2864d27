//! The one table of image flavours: what their tags end in, their base, what they add.

use anyhow::Context as _;
use noetl_help::Help as _;
use serde::Serialize;

/// One kind of image.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flavour {
    /// What `--flavour` takes.
    pub name: &'static str,
    /// What its tags end in.
    pub suffix: &'static str,
    /// Its base image, pinned by digest; none for an image of NoETL's own files alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<&'static str>,
    /// The Python packages that are added to it.
    #[serde(skip)]
    pub packages: Option<Packages>,
}

/// Python packages, locked by hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packages {
    /// The requirements file, relative to the repository's root.
    pub path: &'static str,
    /// Its content.
    pub requirements: &'static str,
}

/// Every flavour, the plain one first.
pub(crate) const FLAVOURS: &[Flavour] = &[
    Flavour {
        name: "plain",
        suffix: "",
        base: None,
        packages: None,
    },
    Flavour {
        name: "python",
        suffix: "-python",
        // Python 3.12.14 on Debian; the digest is that of the multi-arch index.
        base: Some(
            "docker.io/library/python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea",
        ),
        packages: Some(Packages {
            path: "docker/noetl/python/requirements.txt",
            requirements: include_str!("../../../docker/noetl/python/requirements.txt"),
        }),
    },
];

/// Returns the flavour of plain tags.
pub(crate) fn plain() -> &'static Flavour {
    &FLAVOURS[0]
}

/// Finds a flavour by its name.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Flavour> {
    let names: Vec<_> = FLAVOURS.iter().map(|flavour| flavour.name).collect();
    FLAVOURS
        .iter()
        .find(|flavour| flavour.name == name)
        .with_context(|| format!("there is no flavour `{name}`"))
        .help(format!("take one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use noetl_oci::{Reference, Sha256};

    use super::*;

    #[test]
    fn every_base_is_pinned_and_every_package_locked() {
        assert_eq!(plain().suffix, "", "plain tags are the plain image");
        for flavour in FLAVOURS {
            if let Some(base) = flavour.base {
                assert!(
                    base.parse::<Reference>().unwrap().digest.is_some(),
                    "{base}"
                );
            }
            let Some(packages) = &flavour.packages else {
                continue;
            };
            let lines = packages
                .requirements
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'));
            let text = lines.collect::<Vec<_>>().join("\n");
            let hashes: Vec<_> = text.split("--hash=sha256:").skip(1).collect();
            assert!(hashes.iter().all(|rest| {
                rest.split_whitespace()
                    .next()
                    .unwrap()
                    .parse::<Sha256>()
                    .is_ok()
            }));
            let names: Vec<_> = FLAVOURS
                .iter()
                .filter(|other| other.suffix == flavour.suffix)
                .collect();
            assert_eq!(names.len(), 1, "two flavours would fight for one tag");
            assert!(text.matches("==").count() >= 1 && !hashes.is_empty());
        }
        assert!(find("python").is_ok() && find("alpine").is_err());
    }
}
