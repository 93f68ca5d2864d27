//! What commands print on standard output: one JSON document, or text and tables for people.
//!
//! On a terminal tables have borders, fit its width and show statuses in colour; elsewhere they are
//! plain columns. Text from the server never reaches the terminal with control characters in it.

mod table;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use noetl_api::{StepStatus, WorkerStatus};
use serde_json::Value;

use crate::config;
pub(crate) use table::Table;

/// Prints a line on standard error, formatted as by `format!`.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::output::note(format_args!($($text)*))
    };
}

/// Writes a line for people to standard error. When nobody reads that, nobody is to be told.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}

/// Where the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Columns of the terminal; `None` when it is a pipe or a file.
    pub(crate) terminal: Option<Width>,
    pub(crate) colour: Colour,
}

/// How wide a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Columns(u16),
    Unknown,
}

/// Whether statuses are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    On,
    Off,
}

impl Screen {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self {
                terminal: None,
                colour: Colour::Off,
            };
        }
        Self {
            terminal: Some(width()),
            colour: if config::colour_allowed() {
                Colour::On
            } else {
                Colour::Off
            },
        }
    }

    /// Text in the colour of a status: green when all is well, red when not, yellow meanwhile.
    pub(crate) fn paint(self, status: &str, text: &str) -> String {
        let code = match (status.parse(), status.parse()) {
            (Ok(StepStatus::Completed), _) | (_, Ok(WorkerStatus::Ready)) => "32",
            (Ok(StepStatus::Failed), _) | (_, Ok(WorkerStatus::Offline)) => "31",
            (Ok(StepStatus::Running | StepStatus::Pending), _) => "33",
            (Ok(StepStatus::Cancelled), _) => "35",
            _ => return text.to_owned(),
        };
        match self.colour {
            Colour::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colour::Off => text.to_owned(),
        }
    }
}

fn width() -> Width {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((terminal_size::Width(columns), _)) if columns > 0 => Width::Columns(columns),
        _ => Width::Unknown,
    }
}

/// Whoever read standard output has stopped doing so.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nobody reads the output")
    }
}

impl std::error::Error for ReaderGone {}

/// For commands whose exit code is their answer: that somebody stopped reading does not change it.
pub(crate) fn though_unread(printed: anyhow::Result<()>) -> anyhow::Result<()> {
    printed.or_else(|error| {
        if error.is::<ReaderGone>() {
            Ok(())
        } else {
            Err(error)
        }
    })
}

/// Prints a document on one line.
pub(crate) fn json(document: &Value) -> anyhow::Result<()> {
    text(&document.to_string())
}

/// Prints text and ends its last line.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    bytes(format!("{text}{end}").as_bytes())
}

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => Ok(written?),
    }
}

/// A value as one cell or line: text as it is, null as `-`, everything else as JSON.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

/// Text without control characters, on one line.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            character if character.is_control() => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// `2026-11-23T12:00:00.123Z` as `2026-11-23 12:00:00`.
pub(crate) fn time(value: &Value) -> String {
    match value.as_str() {
        Some(time) => clean(time.get(..19).unwrap_or(time)).replace('T', " "),
        None => "-".to_owned(),
    }
}

/// Seconds as people say them: `0.4s`, `2m 03s`, `1h 02m`.
pub(crate) fn duration(value: &Value) -> String {
    let Some(seconds) = value.as_f64() else {
        return "-".to_owned();
    };
    let minutes = (seconds / 60.0).floor();
    let hours = (minutes / 60.0).floor();
    if seconds < 60.0 {
        format!("{seconds:.1}s")
    } else if minutes < 60.0 {
        format!("{minutes}m {:02.0}s", (seconds - minutes * 60.0).floor())
    } else {
        format!("{hours}h {:02.0}m", minutes - hours * 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_well() {
        assert_eq!(word(&json!(null)), "-");
        assert_eq!(word(&json!({"a": [1]})), r#"{"a":[1]}"#);
        assert_eq!(word(&json!("a\nb\u{1b}[31m")), "a b\u{fffd}[31m");
        assert_eq!(
            time(&json!("2026-11-23T12:00:00.123Z")),
            "2026-11-23 12:00:00"
        );
        assert_eq!(time(&json!(null)), "-");
        let durations = [0.04, 59.94, 61.5, 3599.9, 3600.0, 90_061.0].map(|s| duration(&json!(s)));
        assert_eq!(
            durations,
            ["0.0s", "59.9s", "1m 01s", "59m 59s", "1h 00m", "25h 01m"]
        );
    }
}
