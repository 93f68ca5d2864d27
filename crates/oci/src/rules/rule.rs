//! Rules, their severity, and examples of images that break them.

use std::fmt;

use serde::{Serialize, Serializer};

/// A rule on images or registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The stable id, such as `S1`.
    pub id: &'static str,
    /// The severity of its findings.
    pub severity: Severity,
    /// What the rule requires.
    pub title: &'static str,
    /// What users see when the rule is broken.
    pub symptom: &'static str,
    /// An image that breaks it; `None` for rules on registries and on other files.
    #[serde(skip)]
    pub example: Option<Example>,
}

/// An image that breaks a rule: a clean image with one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The change.
    pub change: &'static str,
    /// The ids of the rules that it breaks; the first is the rule of the example.
    pub trips: &'static [&'static str],
    /// Whether docker-registry 2.8 accepts such an image, as measured by a test.
    pub accepted: Accepted,
}

/// Whether a registry accepts a broken image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It accepts the image, so that the error is found later.
    Yes,
    /// It answers with an error.
    No,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The image must not be published.
    Error,
    /// The image can be published, but should be corrected.
    Warning,
    /// For information only, such as findings in the layers of a base image.
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
    /// Returns a rule whose findings are errors.
    pub const fn error(id: &'static str, title: &'static str, symptom: &'static str) -> Self {
        Self {
            id,
            severity: Severity::Error,
            title,
            symptom,
            example: None,
        }
    }

    /// Returns a rule whose findings are warnings.
    pub const fn warning(id: &'static str, title: &'static str, symptom: &'static str) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(id, title, symptom)
        }
    }

    /// Adds an example of an image that breaks the rule; see [`Example`].
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

    /// Returns a key to sort rules by: the family in the order S, P, F, C, X, A, B, R, others; then the number.
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

/// Serializes the rule of a finding as its id.
pub(super) fn as_id<S: Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}

/// Returns rules sorted by [`Rule::order`].
pub fn sorted(rules: impl IntoIterator<Item = &'static Rule>) -> Vec<&'static Rule> {
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|rule| rule.order());
    rules
}

/// Returns a table of rules and their examples in Markdown.
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
