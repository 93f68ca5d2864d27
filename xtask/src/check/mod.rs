//! Findings and how they are told. The rules stand in [`rules`]; what they look at, in the modules beside it.
//!
//! A check never stops at the first finding, and it judges bytes only: nothing here runs a program,
//! asks a registry or trusts what an earlier stage remembers.

pub(crate) mod archive;
pub(crate) mod image;
mod platform;
mod program;
mod rootfs;
pub(crate) mod rules;
mod structure;
mod walk;

use serde::Serialize;

use crate::check::rules::{Rule, Severity};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Which rule it breaks.
    pub rule: &'static str,
    /// Whether it stops a release.
    pub severity: Severity,
    /// The file, blob or platform.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding of a rule.
    pub(crate) fn add(
        &mut self,
        id: &'static str,
        object: impl Into<String>,
        message: impl Into<String>,
    ) {
        let Rule { id, severity, .. } =
            rules::find(id).expect("checks name rules of the catalogue");
        let finding = Finding {
            rule: id,
            severity: *severity,
            object: object.into(),
            message: message.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Adds a finding of the rule when `result` is an error; gives the value otherwise.
    pub(crate) fn require<T>(
        &mut self,
        id: &'static str,
        object: &str,
        result: anyhow::Result<T>,
    ) -> Option<T> {
        result
            .map_err(|error| self.add(id, object, format!("{error:#}")))
            .ok()
    }

    /// How many of the findings stop a release.
    pub(crate) fn errors(&self) -> usize {
        self.0
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }

    /// Lines for people: `error S1 blobs/…: message`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |finding: &Finding| {
            format!(
                "{} {} {}: {}",
                finding.severity, finding.rule, finding.object, finding.message
            )
        };
        self.0.iter().map(line).collect()
    }

    /// The ids of broken rules, in order and once each.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.0.iter().map(|finding| finding.rule).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
