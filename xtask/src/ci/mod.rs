//! The text of generated files: the configuration of CI, and parts of documents.

pub(crate) mod documents;
pub(crate) mod workflows;
