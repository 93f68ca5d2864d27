//! The exit codes, and the errors that decide them.

use std::fmt;
use std::process::ExitCode;

use noetl_help::Report;

use crate::host::output::{self, OutputClosed};

/// The error of a program that is not installed, which has its own exit code.
#[derive(Debug)]
pub(crate) struct MissingTool(pub String);

impl fmt::Display for MissingTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not installed", self.0)
    }
}

impl std::error::Error for MissingTool {}

/// Prints an error with its causes and its help, and returns the exit code: 3 for a missing tool, else 1. A closed
/// standard output, as after `| head`, is not a failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if noetl_help::find::<OutputClosed>(error).is_some() {
        return ExitCode::SUCCESS;
    }
    output::to_stderr(&Report::of(error).to_string());
    let is_missing_tool = noetl_help::find::<MissingTool>(error).is_some();
    ExitCode::from(if is_missing_tool { 3 } else { 1 })
}
