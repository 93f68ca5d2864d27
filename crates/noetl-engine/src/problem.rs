//! What is wrong with a playbook, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a playbook: file, line, step and field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(formatter, ":{}", self.column)?;
        }
        if let Some(step) = &self.step {
            write!(formatter, ": step `{step}`")?;
        }
        if let Some(field) = &self.field {
            let separator = if self.step.is_some() { "," } else { ":" };
            write!(formatter, "{separator} field `{field}`")?;
        }
        Ok(())
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The playbook runs, though perhaps not as meant.
    Warning,
    /// The playbook cannot run to its end.
    Error,
}

/// One thing that is wrong with a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// The problems for which a playbook was refused, in the order of their places.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Problems in the order of their places, each once: a field may be read in two ways.
    pub(crate) fn sorted(mut problems: Vec<Problem>) -> Self {
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
