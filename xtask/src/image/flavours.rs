//! The table of image flavours: suffix of their tags, base, Python packages.

use anyhow::Context as _;
use noetl_help::Help as _;
use serde::Serialize;

/// A variant of the image.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flavour {
    /// The value of `--flavour`.
    pub name: &'static str,
    /// The suffix of its tags.
    pub suffix: &'static str,
    /// Its base image, pinned by digest; `None` for an image of NoETL's own files only.
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

/// Returns the flavour whose tags have no suffix.
pub(crate) fn plain() -> &'static Flavour {
    &FLAVOURS[0]
}

/// Finds a flavour by its name.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Flavour> {
    let names: Vec<_> = FLAVOURS.iter().map(|flavour| flavour.name).collect();
    let mut flavours = FLAVOURS.iter();
    flavours
        .find(|flavour| flavour.name == name)
        .with_context(|| format!("there is no flavour `{name}`"))
        .help(format!("take one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use noetl_oci::{Reference, Sha256};

    use super::*;

    #[test]
    fn bases_are_pinned_and_packages_locked() {
        assert_eq!(plain().suffix, "");
        let suffixes: BTreeSet<_> = FLAVOURS.iter().map(|flavour| flavour.suffix).collect();
        assert_eq!(suffixes.len(), FLAVOURS.len());
        for base in FLAVOURS.iter().filter_map(|flavour| flavour.base) {
            let digest = base.parse::<Reference>().unwrap().digest;
            assert!(digest.is_some(), "{base}");
        }
        for packages in FLAVOURS.iter().filter_map(|it| it.packages.as_ref()) {
            let text = packages.requirements.replace("\\\n", " ");
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let mut words = lines.flat_map(str::split_whitespace).peekable();
            assert!(words.peek().is_some_and(|word| word.contains("==")));
            let hashes = words.filter_map(|word| word.strip_prefix("--hash=sha256:"));
            let hashes: Vec<_> = hashes.map(str::parse::<Sha256>).collect();
            assert!(!hashes.is_empty() && hashes.iter().all(Result::is_ok));
        }
        assert!(find("python").is_ok() && find("alpine").is_err());
    }
}
