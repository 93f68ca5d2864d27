//! The error of a command whose playbook the server rejects.

use anyhow::anyhow;

use crate::client::error::Error;
use crate::output::problems;

/// Prints the problems that the server found in a playbook, with `file` as its name. Returns the error that
/// ends the command: `message` and the number of problems. An error without problems stays as it is.
pub(super) fn report(error: Error, file: Option<&str>, message: &str) -> anyhow::Error {
    if error.problems.is_empty() {
        return error.into();
    }
    note!("{}", problems::text(&error.problems, file).trim_end());
    anyhow!("{message}: {}", problems::count(&error.problems))
}
