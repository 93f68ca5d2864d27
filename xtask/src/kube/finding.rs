//! What a check of manifests reports.

use std::fmt;

use noetl_yaml::Node;
use serde::Serialize;

use crate::kube::workload::Workload;

/// One thing that a cluster would refuse or never start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// Line in it, from 1.
    pub line: usize,
    /// `Deployment noetl/server`.
    pub object: String,
    /// `spec.template.spec.containers[0].ports[0].containerPort`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Finding {
    /// Returns a finding about a value of a workload. `field` is the path of that value in the object.
    pub(crate) fn of(workload: &Workload, value: &Node, field: String, message: String) -> Self {
        Self {
            file: workload.file.clone(),
            line: value.line,
            object: workload.object.clone(),
            field,
            message,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            object,
            field,
            message,
        } = self;
        write!(f, "{file}:{line}: {object}: {field}: {message}")
    }
}
