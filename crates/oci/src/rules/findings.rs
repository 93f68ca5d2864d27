//! Findings of checks.

use serde::Serialize;

use crate::rules::rule::{self, Rule, Severity};

/// A thing that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that is broken.
    #[serde(serialize_with = "rule::as_id")]
    pub rule: &'static Rule,
    /// The severity, which may differ from that of the rule.
    pub severity: Severity,
    /// The file, blob, document or platform that breaks the rule.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
}

/// A list of findings, without duplicates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

/// How many findings of one rule [`Findings::lines`] lists.
const SHOWN: usize = 8;

impl Findings {
    /// Adds a finding with the severity of its rule.
    pub fn add(
        &mut self,
        rule: &'static Rule,
        object: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.add_as(rule.severity, rule, object, message);
    }

    /// Adds a finding with another severity than its rule's.
    pub fn add_as(
        &mut self,
        severity: Severity,
        rule: &'static Rule,
        object: impl Into<String>,
        message: impl Into<String>,
    ) {
        let finding = Finding {
            rule,
            severity,
            object: object.into(),
            message: message.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Returns the value of `result`; when it is an error, adds a finding with its message.
    pub fn require<T>(
        &mut self,
        rule: &'static Rule,
        object: &str,
        result: anyhow::Result<T>,
    ) -> Option<T> {
        result
            .map_err(|error| self.add(rule, object, format!("{error:#}")))
            .ok()
    }

    /// Returns how many findings are errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// Returns how many findings have a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.severity == severity;
        self.0.iter().filter(of_it).count()
    }

    /// Keeps only the findings of the rules with these ids; keeps all when `ids` is empty.
    #[must_use]
    pub fn only(mut self, ids: &[&str]) -> Self {
        self.0
            .retain(|finding| ids.is_empty() || ids.contains(&finding.rule.id));
        self
    }

    /// Returns lines such as `error S1 blobs/…: message`, sorted by severity and rule. For each rule and severity, at
    /// most eight findings are listed, and the others are counted.
    pub fn lines(&self) -> Vec<String> {
        let mut groups: Vec<(Severity, &Rule, Vec<&Finding>)> = Vec::new();
        for finding in &self.0 {
            let key = (finding.severity, finding.rule);
            match groups.iter_mut().find(|group| (group.0, group.1) == key) {
                Some(group) => group.2.push(finding),
                None => groups.push((key.0, key.1, vec![finding])),
            }
        }
        groups.sort_by_key(|(severity, rule, _)| (*severity, rule.order()));
        let mut lines = Vec::new();
        for (severity, rule, found) in groups {
            let id = rule.id;
            let line = |finding: &&Finding| {
                format!("{severity} {id} {}: {}", finding.object, finding.message)
            };
            lines.extend(found.iter().take(SHOWN).map(line));
            if found.len() > SHOWN {
                let more = found.len() - SHOWN;
                lines.push(format!("{severity} {id} and {more} more"));
            }
        }
        lines
    }

    /// Returns the numbers of findings as text, such as `1 error, 2 warnings, 0 infos`.
    pub fn counts(&self) -> String {
        let of = |severity: Severity| {
            let number = self.count(severity);
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {severity}{plural}")
        };
        let counts = [Severity::Error, Severity::Warning, Severity::Info].map(of);
        counts.join(", ")
    }

    /// Returns the ids of the rules with errors or warnings, sorted and without duplicates.
    pub fn ids(&self) -> Vec<&'static str> {
        let broken = |finding: &&Finding| finding.severity != Severity::Info;
        let mut ids: Vec<_> = self.0.iter().filter(broken).map(|it| it.rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::catalogue::{C3, F7, P1, S1};

    #[test]
    fn lines_are_sorted_by_severity_and_limited_for_each_rule() {
        let mut findings = Findings::default();
        findings.add_as(Severity::Info, &F7, "layer", "old");
        findings.add(&C3, "config", "port 1");
        (0..10).for_each(|number| findings.add(&P1, format!("index {number}"), "missing"));
        findings.add(&S1, "blob", "changed");
        findings.add(&S1, "blob", "changed");
        let lines = findings.lines();
        assert_eq!(lines.first().unwrap(), "error S1 blob: changed");
        assert_eq!(lines[1], "error P1 index 0: missing");
        assert_eq!(lines[9], "error P1 and 2 more");
        let rest = ["warning C3 config: port 1", "info F7 layer: old"];
        assert_eq!(lines[10..], rest);
        assert_eq!(findings.counts(), "11 errors, 1 warning, 1 info");
        assert_eq!(findings.ids(), ["C3", "P1", "S1"]);
        let json = serde_json::to_string(&findings.0[1]).unwrap();
        assert!(
            json.starts_with(r#"{"rule":"C3","severity":"warning""#),
            "{json}"
        );
        assert_eq!(
            findings.only(&["F7"]).counts(),
            "0 errors, 0 warnings, 1 info"
        );
    }
}
