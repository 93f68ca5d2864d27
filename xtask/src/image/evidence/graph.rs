//! Packages and what each of them needs, whatever registry they are from.

use std::collections::{BTreeMap, BTreeSet};

/// Packages by their package URL (purl-spec), and the edges between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    /// The package that everything else is there for; empty when they are there for themselves.
    pub root: String,
    /// Every package, the root among them.
    pub packages: BTreeMap<String, Package>,
    /// What each package needs; those that need nothing may be missing.
    pub edges: BTreeMap<String, BTreeSet<String>>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name; an npm scope stands before a slash.
    pub name: String,
    /// Its version.
    pub version: String,
    /// An SPDX expression.
    pub license: Option<String>,
    /// CycloneDX's name of the algorithm, and the hash of what was downloaded, in hex.
    pub hash: Option<(&'static str, String)>,
}

impl Graph {
    /// The packages that nothing else here is there for.
    pub(crate) fn roots(&self) -> Vec<&str> {
        if self.root.is_empty() {
            return self.packages.keys().map(String::as_str).collect();
        }
        vec![&self.root]
    }

    /// Adds an edge.
    pub(crate) fn needs(&mut self, package: &str, needed: &str) {
        self.edges
            .entry(package.to_owned())
            .or_default()
            .insert(needed.to_owned());
    }
}
