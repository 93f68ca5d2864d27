//! The log of a server or a worker.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;

use crate::config;

/// Sends the log of this process to standard error. `NOETL_DEBUG` makes it more detailed.
pub(crate) fn to_stderr() {
    let level = if config::debug() {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // A file or a pipe gets no escape codes.
        .with_ansi(std::io::stderr().is_terminal() && config::colour_allowed())
        .init();
}
