//! The findings of checks on manifests.

use std::fmt;

use serde::Serialize;

/// A value that a cluster would refuse, or with which a pod would not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The path of the file as it was given.
    pub file: String,
    /// The line in the file, from 1.
    pub line: usize,
    /// The object, such as `Deployment noetl/server`.
    pub object: String,
    /// The path of the value, such as `spec.template.spec.containers[0].ports[0].containerPort`.
    pub field: String,
    /// What is wrong with the value.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}: ", self.file, self.line, self.object)?;
        write!(formatter, "{}: {}", self.field, self.message)
    }
}
