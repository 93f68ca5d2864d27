//! GitHub workflows: generated from the target table and the list of CI's jobs, held against rules,
//! and read back so that they can be tried here. They hold no logic: that is in xtask.

pub(crate) mod generate;
pub(crate) mod model;
pub(crate) mod rules;

/// The folder they lie in.
pub(crate) const FOLDER: &str = ".github/workflows";
