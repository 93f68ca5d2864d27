//! Standard error: lines for people, and the error that ends a command. Data goes to standard output,
//! through `output`.

use std::fmt;
use std::io::{self, Write as _};

use noetl_help::Report;

use crate::output;

/// Prints a line on standard error, formatted as by `format!`.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::note::line(format_args!($($text)*))
    };
}

/// Writes a line to standard error.
pub(crate) fn line(line: fmt::Arguments<'_>) {
    write(format_args!("{line}\n"));
}

/// Prints `error: …`, `caused by: …` for each cause, and `help: …`.
pub(crate) fn error(error: &anyhow::Error) {
    write(format_args!("{}", Report::of(error)));
}

/// A standard error that is closed is no reason to end the command.
fn write(text: fmt::Arguments<'_>) {
    // It may quote a server, a playbook or a file.
    let text = output::plain(&text.to_string());
    io::stderr()
        .lock()
        .write_all(text.as_bytes())
        .unwrap_or_default();
}
