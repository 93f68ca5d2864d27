//! What a rule is, and how bad it is to break one.

use std::fmt;

use serde::{Serialize, Serializer};

/// A rule of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable id, such as `S1`.
    pub id: &'static str,
    /// Whether breaking it stops a release.
    pub severity: Severity,
    /// What must hold.
    pub title: &'static str,
    /// What happens to people when it does not.
    pub symptom: &'static str,
    /// An image that breaks it; rules on registries and on files around an image have none.
    #[serde(skip)]
    pub example: Option<Example>,
}

/// An image that breaks a rule, made from a clean one by one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The change.
    pub change: &'static str,
    /// The rules that it breaks, the one that it is for first.
    pub trips: &'static [&'static str],
    /// Whether docker-registry 2.8 takes such an image; measured by a test.
    pub accepted: Accepted,
}

/// Whether a registry takes a broken image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It does, and people find out later.
    Yes,
    /// It answers with an error.
    No,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
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

impl Rule {
    /// A rule that stops a release.
    pub const fn error(id: &'static str, title: &'static str, symptom: &'static str) -> Self {
        Self {
            id,
            severity: Severity::Error,
            title,
            symptom,
            example: None,
        }
    }

    /// A rule that is told and does not stop a release.
    pub const fn warning(id: &'static str, title: &'static str, symptom: &'static str) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(id, title, symptom)
        }
    }

    /// The same with an image that breaks it.
    #[must_use]
    pub const fn example(
        self,
        change: &'static str,
        trips: &'static [&'static str],
        accepted: Accepted,
    ) -> Self {
        Self {
            example: Some(Example {
                change,
                trips,
                accepted,
            }),
            ..self
        }
    }

    /// Returns what rules are sorted by: families in the order S, P, F, C, X, A, B, R and others, then numbers.
    pub fn order(&self) -> (usize, u32) {
        const FAMILIES: &str = "SPFCXABR";
        let family = self.id.chars().next().and_then(|it| FAMILIES.find(it));
        let number = self.id.trim_start_matches(|it: char| !it.is_ascii_digit());
        (
            family.unwrap_or(FAMILIES.len()),
            number.parse().unwrap_or(u32::MAX),
        )
    }
}

/// Writes a rule of a finding as its id.
pub(super) fn as_id<S: Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}

/// Sorts rules of several families into the order of a list.
pub fn sorted(rules: impl IntoIterator<Item = &'static Rule>) -> Vec<&'static Rule> {
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|rule| rule.order());
    rules
}

/// Returns a Markdown table of rules and of what their examples trip.
pub fn markdown(rules: &[&'static Rule]) -> String {
    let mut table = String::from(
        "| id | severity | what must hold | an image that breaks it | trips | accepted by docker-registry 2.8 |\n\
         |---|---|---|---|---|---|\n",
    );
    for rule in rules {
        let (change, trips, accepted) = match rule.example {
            Some(example) => {
                let accepted = match example.accepted {
                    Accepted::Yes => "yes",
                    Accepted::No => "no",
                };
                (example.change, example.trips.join(", "), accepted)
            }
            None => ("-", "-".to_owned(), "-"),
        };
        let Rule {
            id,
            severity,
            title,
            ..
        } = rule;
        table.push_str(&format!(
            "| {id} | {severity} | {title} | {change} | {trips} | {accepted} |\n"
        ));
    }
    table
}
