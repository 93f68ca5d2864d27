//! Exit codes, and the errors that have one of their own.

use std::fmt;
use std::process::ExitCode;

use noetl_help::Report;

use crate::host::output::{self, OutputClosed};

/// Exit code of a failed check or build.
const FAILED: u8 = 1;
/// Exit code of a missing tool.
const MISSING_TOOL: u8 = 3;

/// Marks an error as one that installing a tool would mend.
#[derive(Debug)]
pub(crate) struct MissingTool(pub String);

impl fmt::Display for MissingTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not installed", self.0)
    }
}

impl std::error::Error for MissingTool {}

/// Prints an error with its causes and its help, and returns what to exit with. A reader of standard output that
/// has gone away, such as `head`, is no failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if noetl_help::find::<OutputClosed>(error).is_some() {
        return ExitCode::SUCCESS;
    }
    output::to_stderr(&Report::of(error).to_string());
    ExitCode::from(if noetl_help::find::<MissingTool>(error).is_some() {
        MISSING_TOOL
    } else {
        FAILED
    })
}
