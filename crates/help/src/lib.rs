//! Help for errors: the command or setting that fixes an error, printed after it as a line `help: …`.
//!
//! Adding help does not change the message of an error: `{error}` and `{error:#}` print the same text as before, and
//! [`Report`] prints the help on a separate line.
//!
//! ```
//! use anyhow::{Context as _, anyhow};
//! use noetl_help::{Help as _, Report};
//!
//! let error = anyhow!("port 8082 is in use").help("choose another: --port 8083");
//! let error = Err::<(), _>(error).context("cannot start the server").unwrap_err();
//! assert_eq!(
//!     Report::of(&error).to_string(),
//!     "error: cannot start the server\ncaused by: port 8082 is in use\nhelp: choose another: --port 8083\n"
//! );
//! ```

use std::error::Error as StdError;
use std::fmt;

/// Adds help to an error, or to the error of a `Result`.
pub trait Help {
    /// The type of the error or `Result` with help.
    type Output;

    /// Adds `help`, the command or setting that fixes the error. When help is added at several levels, only the
    /// outermost is printed, since it was added where most is known about the operation.
    fn help(self, help: impl Into<String>) -> Self::Output;
}

impl Help for anyhow::Error {
    type Output = anyhow::Error;

    fn help(self, help: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Helped {
            help: help.into(),
            error: self,
        })
    }
}

impl<T, E: Into<anyhow::Error>> Help for Result<T, E> {
    type Output = anyhow::Result<T>;

    fn help(self, help: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().help(help))
    }
}

/// An error with its help. `Display` prints only the error.
struct Helped {
    help: String,
    error: anyhow::Error,
}

impl fmt::Display for Helped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.error)
    }
}

impl fmt::Debug for Helped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}\nhelp: {}", self.error, self.help)
    }
}

impl StdError for Helped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// Returns the first error of type `T` in the chain of causes, also below help; `None` when there is none. (anyhow's
/// `downcast_ref` does not find errors below help.)
pub fn find<T: StdError + 'static>(error: &anyhow::Error) -> Option<&T> {
    error.chain().find_map(|cause| {
        cause
            .downcast_ref::<T>()
            .or_else(|| find(&cause.downcast_ref::<Helped>()?.error))
    })
}

/// The text of an error with its causes and help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The messages of the error and its causes, the outermost first. A message that repeats the end of the one before
    /// it is left out.
    pub causes: Vec<String>,
    /// The outermost help, if there is any.
    pub help: Option<String>,
}

impl Report {
    /// Returns the report of an error.
    pub fn of(error: &anyhow::Error) -> Self {
        let mut causes: Vec<String> = Vec::new();
        for cause in error.chain().map(ToString::to_string) {
            if !causes.last().is_some_and(|above| above.ends_with(&cause)) {
                causes.push(cause);
            }
        }
        Self {
            causes,
            help: outermost_help(error),
        }
    }
}

fn outermost_help(error: &anyhow::Error) -> Option<String> {
    let mut chain = error.chain();
    chain.find_map(|cause| Some(cause.downcast_ref::<Helped>()?.help.clone()))
}

impl fmt::Display for Report {
    /// Writes `error: …`, a line `caused by: …` for each cause, and `help: …`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, cause) in self.causes.iter().enumerate() {
            let word = if depth == 0 { "error" } else { "caused by" };
            writeln!(formatter, "{word}: {cause}")?;
        }
        match &self.help {
            Some(help) => writeln!(formatter, "help: {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn the_message_does_not_change_and_only_the_outermost_help_is_printed() {
        let inner = Err::<(), _>(anyhow!("no route")).help("check the network");
        let outer = inner.context("cannot push").help("try again");
        let error = outer.unwrap_err();
        assert_eq!(format!("{error:#}"), "cannot push: no route");
        let report = Report::of(&error);
        assert_eq!(report.causes, ["cannot push", "no route"]);
        assert_eq!(report.help.as_deref(), Some("try again"));
    }

    #[test]
    fn inner_help_is_printed_when_there_is_no_outer_help() {
        let error = anyhow!("no route").help("check the network");
        let error = error.context("cannot push");
        assert_eq!(
            Report::of(&error).help.as_deref(),
            Some("check the network")
        );
    }

    #[test]
    fn a_cause_that_the_context_repeats_is_printed_once() {
        let error = anyhow!("cut short").context("the file is cut short");
        assert_eq!(Report::of(&error).causes, ["the file is cut short"]);
    }

    #[test]
    fn an_error_is_found_by_its_type_below_help_and_context() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Err::<(), _>(missing).help("make it").context("outer");
        let error = error.help("again").unwrap_err();
        let found = find::<std::io::Error>(&error).unwrap();
        assert_eq!(found.kind(), std::io::ErrorKind::NotFound);
        assert!(find::<fmt::Error>(&error).is_none());
    }
}
