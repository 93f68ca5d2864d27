//! How errors look: the chain of causes, then the command that mends it, then an exit code.

use std::fmt;
use std::process::ExitCode;

/// Exit code of a failed check or build.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a missing tool.
pub(crate) const MISSING_TOOL: u8 = 3;

/// A remedy, kept in the error's chain as a context of its own.
#[derive(Debug)]
struct Remedy(String);

/// Marks an error as one that installing a tool would mend.
#[derive(Debug)]
pub(crate) struct MissingTool(pub String);

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for MissingTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not installed", self.0)
    }
}

impl std::error::Error for MissingTool {}

/// Adds the command that mends an error.
pub(crate) trait WithHelp<T> {
    /// Attaches `remedy`, printed last as `help: …`.
    fn help(self, remedy: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHelp<T> for Result<T, E> {
    fn help(self, remedy: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Remedy(remedy.into())))
    }
}

/// Prints `error: …`, `caused by: …` for each cause and `help: …`, and says what to exit with.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let remedy = error.downcast_ref::<Remedy>().map(ToString::to_string);
    let causes = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| Some(cause) != remedy.as_ref());
    for (depth, cause) in causes.enumerate() {
        eprintln!(
            "{}: {cause}",
            if depth == 0 { "error" } else { "caused by" }
        );
    }
    if let Some(remedy) = remedy {
        eprintln!("help: {remedy}");
    }
    ExitCode::from(if error.downcast_ref::<MissingTool>().is_some() {
        MISSING_TOOL
    } else {
        FAILED
    })
}
