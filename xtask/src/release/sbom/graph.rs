//! Packages of any registry and the dependencies between them.

use std::collections::{BTreeMap, BTreeSet};

/// Packages by their package URL (purl-spec), and the edges between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    /// The package that depends on all others; empty when there is none.
    pub root: String,
    /// Every package, the root among them.
    pub packages: BTreeMap<String, Package>,
    /// The direct dependencies of each package; packages without any may be missing.
    pub edges: BTreeMap<String, BTreeSet<String>>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name, with an npm scope before a slash.
    pub name: String,
    /// Its version.
    pub version: String,
    /// An SPDX expression.
    pub license: Option<String>,
    /// CycloneDX's name of the algorithm, and the hash of the downloaded file in hex.
    pub hash: Option<(&'static str, String)>,
}

impl Graph {
    /// Returns the root, or every package when there is no root.
    pub(crate) fn roots(&self) -> Vec<&str> {
        if self.root.is_empty() {
            return self.packages.keys().map(String::as_str).collect();
        }
        vec![&self.root]
    }

    /// Adds a dependency.
    pub(crate) fn needs(&mut self, package: &str, needed: &str) {
        let edges = self.edges.entry(package.to_owned()).or_default();
        edges.insert(needed.to_owned());
    }
}
