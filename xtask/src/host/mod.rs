//! The machine that xtask runs on: environment, programs, files, git and output.

mod cargo_config;
mod cleaned;
pub(crate) mod command;
pub(crate) mod ctx;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod output;
pub(crate) mod run;
pub(crate) mod sign_ins;
pub(crate) mod tools;
