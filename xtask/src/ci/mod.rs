//! The configuration of CI, as generated files.

pub(crate) mod workflows;
