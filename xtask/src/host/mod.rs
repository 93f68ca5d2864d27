//! This machine: the environment, programs, files, git, and what is printed.

pub(crate) mod command;
pub(crate) mod ctx;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod output;
pub(crate) mod run;
pub(crate) mod sign_ins;
pub(crate) mod tools;
