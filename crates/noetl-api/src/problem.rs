//! What is wrong with a playbook, and where.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A place in a playbook: file, line, step and field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// The file or catalog path, as the reader of the message knows it.
    pub file: String,
    /// Line, from 1; 0 when the place is the whole file.
    pub line: usize,
    /// Column in characters, from 1; 0 when only the line is known.
    pub column: usize,
    /// The step, when the place is inside one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The field, such as `tool.url` or `next[1].when`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl fmt::Display for Place {
    /// Writes `playbook.yaml:3:5: step `a`, field `next``, as far as it is known; nothing for an empty place.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(formatter, ":{}", self.column)?;
        }
        let mut separator = if self.file.is_empty() && self.line == 0 {
            ""
        } else {
            ": "
        };
        if let Some(step) = &self.step {
            write!(formatter, "{separator}step `{step}`")?;
            separator = ", ";
        }
        if let Some(field) = &self.field {
            write!(formatter, "{separator}field `{field}`")?;
        }
        Ok(())
    }
}

impl Place {
    /// Writes a message behind the place; alone when the place is empty.
    pub(crate) fn write_before(
        &self,
        message: &str,
        formatter: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        if *self != Self::default() {
            write!(formatter, "{self}: ")?;
        }
        formatter.write_str(message)
    }
}

word_enum! {
    /// How bad a problem is.
    Severity {
        /// The playbook runs, though perhaps not as meant.
        Warning = "warning",
        /// The playbook cannot run to its end.
        Error = "error",
    }
}

/// One problem of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// How to correct it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Writes problems with null for what they lack, as the bodies of the HTTP API do.
pub(crate) fn with_every_field<S: Serializer>(
    problems: &[Problem],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct WholeProblem<'a> {
        severity: Severity,
        message: &'a str,
        help: Option<&'a str>,
        place: WholePlace<'a>,
    }
    #[derive(Serialize)]
    struct WholePlace<'a> {
        file: &'a str,
        line: usize,
        column: usize,
        step: Option<&'a str>,
        field: Option<&'a str>,
    }
    serializer.collect_seq(problems.iter().map(|problem| WholeProblem {
        severity: problem.severity,
        message: &problem.message,
        help: problem.help.as_deref(),
        place: WholePlace {
            file: &problem.place.file,
            line: problem.place.line,
            column: problem.place.column,
            step: problem.place.step.as_deref(),
            field: problem.place.field.as_deref(),
        },
    }))
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.write_before(&self.message, formatter)
    }
}

/// The problems of a playbook, in the order of their places.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Sorts problems by their places and drops duplicates: a field may be read in two ways.
    pub fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| {
            let key = |problem: &Problem| (problem.place.line, problem.place.column);
            key(one)
                .cmp(&key(other))
                .then_with(|| one.message.cmp(&other.message))
        });
        problems.dedup();
        Self(problems)
    }

    /// Whether one of them is an error.
    pub fn any_error(&self) -> bool {
        self.0
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
            if let Some(help) = &problem.help {
                write!(formatter, " (help: {help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorBody;

    #[test]
    fn a_place_is_written_as_far_as_it_is_known() {
        let text = |place: Place| {
            let problem = Problem {
                severity: Severity::Error,
                place,
                message: "m".to_owned(),
                help: None,
            };
            problem.to_string()
        };
        let mut place = Place::default();
        assert_eq!(text(place.clone()), "m");
        place.field = Some("url".to_owned());
        assert_eq!(text(place.clone()), "field `url`: m");
        place.step = Some("a".to_owned());
        assert_eq!(text(place.clone()), "step `a`, field `url`: m");
        (place.file, place.line) = ("p".to_owned(), 3);
        assert_eq!(text(place), "p:3: step `a`, field `url`: m");
    }

    #[test]
    fn a_body_names_every_field_of_a_problem() {
        let problem = Problem {
            severity: Severity::Error,
            place: Place {
                file: "p".to_owned(),
                line: 3,
                ..Place::default()
            },
            message: "m".to_owned(),
            help: None,
        };
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(
            text,
            r#"{"severity":"error","place":{"file":"p","line":3,"column":0},"message":"m"}"#
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        let body = ErrorBody {
            detail: "d".to_owned(),
            help: None,
            problems: vec![problem],
        };
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(
            text,
            r#"{"detail":"d","problems":[{"severity":"error","message":"m","help":null,"place":{"file":"p","line":3,"column":0,"step":null,"field":null}}]}"#
        );
        assert_eq!(serde_json::from_str::<ErrorBody>(&text).unwrap(), body);
    }
}
