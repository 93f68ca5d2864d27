//! The catalogue: every rule with its id, severity and what its failure looks like in the wild.
//!
//! One module per family: S, P, F, C and X are rules on images, A and B on what people download,
//! R on what a registry serves.
//! A family is one line of [`FAMILIES`].

mod config;
mod downloads;
mod filesystem;
mod platform;
mod rebuild;
mod registry;
mod structure;

use std::fmt;

use serde::Serialize;

/// A rule of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// Stable id, such as `S1`.
    pub id: &'static str,
    /// Whether breaking it stops a release.
    pub severity: Severity,
    /// What must hold.
    pub title: &'static str,
    /// What happens to people when it does not.
    pub symptom: &'static str,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It must not be published.
    Error,
    /// It should be looked at.
    Warning,
    /// It is said and no more: a base image is written as its makers write it.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// The families in the order of the list that `image check --list` prints.
const FAMILIES: &[&[Rule]] = &[
    structure::RULES,
    platform::RULES,
    filesystem::RULES,
    config::RULES,
    rebuild::RULES,
    downloads::RULES,
    registry::RULES,
];

/// Every rule, in the order of the list.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().copied().flatten()
}

/// Finds a rule by its id.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

const fn rule(id: &'static str, title: &'static str, symptom: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Error,
        title,
        symptom,
    }
}

const fn warning(id: &'static str, title: &'static str, symptom: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Warning,
        title,
        symptom,
    }
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = all().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all().count());
    }
}
