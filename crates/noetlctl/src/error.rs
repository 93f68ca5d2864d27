//! How errors look: the chain of causes, then the way out.

use std::fmt;

use crate::client;

/// A remedy, kept in the error's chain as its outermost context.
#[derive(Debug)]
struct Remedy(String);

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Adds the command or setting that mends an error.
pub(crate) trait WithHelp<T> {
    /// Attaches `remedy`, printed last as `help: …`.
    fn help(self, remedy: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHelp<T> for Result<T, E> {
    fn help(self, remedy: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Remedy(remedy.into())))
    }
}

/// Prints `error: …`, `caused by: …` for each cause, and `help: …` to standard error.
pub(crate) fn print(error: &anyhow::Error) {
    let remedy = error.downcast_ref::<Remedy>().map(ToString::to_string);
    // What the server advises, unless the command knows better.
    let remedy = remedy.or_else(|| error.downcast_ref::<client::error::Error>()?.help.clone());
    let causes = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| Some(cause) != remedy.as_ref())
        // Some errors repeat their cause in their own words.
        .scan(String::new(), |said, cause| {
            let known = said.ends_with(&cause);
            if !known {
                said.clone_from(&cause);
            }
            Some((!known).then_some(cause))
        })
        .flatten();
    for (depth, cause) in causes.enumerate() {
        note!(
            "{}: {cause}",
            if depth == 0 { "error" } else { "caused by" }
        );
    }
    if let Some(remedy) = remedy {
        note!("help: {remedy}");
    }
}
