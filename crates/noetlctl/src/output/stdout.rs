//! Writes to standard output. A program that closes the pipe, such as `head`, gives an error of its own
//! type, which ends the command without a message.

use std::fmt;
use std::io::{self, Write as _};

use serde::Serialize;

use super::control::{escaped_json, plain, plain_with_colours};
use super::screen::Screen;

/// Standard output is a pipe whose reader has closed it.
#[derive(Debug)]
struct BrokenPipe;

impl fmt::Display for BrokenPipe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("standard output is closed")
    }
}

impl std::error::Error for BrokenPipe {}

/// Whether a command failed because standard output is closed.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    noetl_help::find::<BrokenPipe>(error).is_some()
}

/// Drops the error of a closed standard output, for commands whose exit code is their answer.
pub(crate) fn ignore_broken_pipe(printed: anyhow::Result<()>) -> anyhow::Result<()> {
    match printed {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        printed => printed,
    }
}

/// Prints a document as one line of JSON.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    let mut text = escaped_json(serde_json::to_string(document)?);
    text.push('\n');
    bytes(text.as_bytes())
}

/// Prints a document of somebody else: as it is into a pipe or a file, and without control characters on a terminal.
pub(crate) fn document(document: &str) -> anyhow::Result<()> {
    match Screen::stdout().terminal {
        Some(_) => text(&plain(document)),
        None => bytes(document.as_bytes()),
    }
}

/// Prints text for people, with a newline if it does not end with one. Of control characters, only lines, tabs and the
/// colours of statuses are kept.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let text = plain_with_colours(text, &Screen::stdout().codes());
    bytes(format!("{text}{end}").as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(BrokenPipe.into()),
        written => Ok(written?),
    }
}
