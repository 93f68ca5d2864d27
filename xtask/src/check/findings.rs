//! What checks collect: one finding for each thing that is wrong.

use serde::Serialize;

use crate::check::rules::{self, Rule, Severity};

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
        self.push(catalogued(id).severity, id, object.into(), message.into());
    }

    /// Adds a finding that is less severe than its rule.
    pub(crate) fn add_as(
        &mut self,
        severity: Severity,
        id: &'static str,
        object: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(severity, catalogued(id).id, object.into(), message.into());
    }

    fn push(&mut self, severity: Severity, rule: &'static str, object: String, message: String) {
        let finding = Finding {
            rule,
            severity,
            object,
            message,
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
        self.count(Severity::Error)
    }

    /// How many findings are of a severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.severity == severity;
        self.0.iter().filter(of_it).count()
    }

    /// Only what concerns these rules; all of it when none is named.
    pub(crate) fn only(mut self, ids: &[&str]) -> Self {
        self.0
            .retain(|finding| ids.is_empty() || ids.contains(&finding.rule));
        self
    }

    /// Lines for people, the worst first and a rule's together: `error S1 blobs/…: message`. Of more
    /// than [`SHOWN`] findings of one rule the rest is a number.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut groups: Vec<(Severity, &str, Vec<&Finding>)> = Vec::new();
        for finding in &self.0 {
            let (severity, rule) = (finding.severity, finding.rule);
            match groups
                .iter_mut()
                .find(|group| (group.0, group.1) == (severity, rule))
            {
                Some(group) => group.2.push(finding),
                None => groups.push((severity, rule, vec![finding])),
            }
        }
        groups.sort_by_key(|group| (group.0, rules::all().position(|rule| rule.id == group.1)));
        let mut lines = Vec::new();
        for (severity, rule, found) in groups {
            let line = |finding: &&Finding| {
                format!("{severity} {rule} {}: {}", finding.object, finding.message)
            };
            lines.extend(found.iter().take(SHOWN).map(line));
            if found.len() > SHOWN {
                let more = found.len() - SHOWN;
                lines.push(format!(
                    "{severity} {rule} and {more} more, which --json lists"
                ));
            }
        }
        lines
    }

    /// `1 error, 2 warnings, 0 infos`.
    pub(crate) fn counts(&self) -> String {
        let of = |severity: Severity| {
            let number = self.count(severity);
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {severity}{plural}")
        };
        let counts = [Severity::Error, Severity::Warning, Severity::Info].map(of);
        counts.join(", ")
    }

    /// The ids of broken rules, in order and once each; infos break none.
    pub(crate) fn ids(&self) -> Vec<&'static str> {
        let broken = |finding: &&Finding| finding.severity != Severity::Info;
        let mut ids: Vec<_> = self.0.iter().filter(broken).map(|it| it.rule).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// How many findings of one rule are told in words.
const SHOWN: usize = 8;

fn catalogued(id: &str) -> &'static Rule {
    rules::find(id).expect("checks name rules of the catalogue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_with_the_worst_and_the_many_are_counted() {
        let mut findings = Findings::default();
        findings.add_as(Severity::Info, "F7", "layer", "old");
        findings.add("C3", "config", "port 1");
        (0..10).for_each(|number| findings.add("P1", format!("index {number}"), "missing"));
        findings.add("S1", "blob", "changed");
        findings.add("S1", "blob", "changed");
        let lines = findings.lines();
        assert_eq!(lines.first().unwrap(), "error S1 blob: changed");
        assert_eq!(lines[1], "error P1 index 0: missing");
        assert_eq!(lines[9], "error P1 and 2 more, which --json lists");
        let rest = ["warning C3 config: port 1", "info F7 layer: old"];
        assert_eq!(lines[10..], rest);
        assert_eq!(findings.counts(), "11 errors, 1 warning, 1 info");
        assert_eq!(findings.ids(), ["C3", "P1", "S1"]);
        assert_eq!(
            findings.only(&["F7"]).counts(),
            "0 errors, 0 warnings, 1 info"
        );
    }
}
