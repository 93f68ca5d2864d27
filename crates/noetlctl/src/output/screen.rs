//! Where the output goes: a terminal with its width and colours, or a pipe or file without either.

use std::io::{self, IsTerminal as _};

use noetl_api::{StepStatus, WorkerStatus};

use crate::config;

/// The properties of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Width of the terminal; `None` for a pipe or a file.
    pub(crate) terminal: Option<Width>,
    pub(crate) colour: Colour,
}

/// The width of a terminal.
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
    /// Returns the properties of standard output.
    pub(crate) fn stdout() -> Self {
        if !io::stdout().is_terminal() {
            return Self {
                terminal: None,
                colour: Colour::Off,
            };
        }
        Self {
            terminal: Some(terminal_width()),
            colour: if config::colour_allowed() {
                Colour::On
            } else {
                Colour::Off
            },
        }
    }

    /// Returns the codes that [`Self::paint`] adds to text.
    pub(super) fn codes(self) -> Vec<&'static str> {
        match self.colour {
            Colour::On => vec!["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[0m"],
            Colour::Off => Vec::new(),
        }
    }

    /// Returns text in the colour of a status: green for success, red for failure, yellow for running.
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

fn terminal_width() -> Width {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((terminal_size::Width(columns), _)) if columns > 0 => Width::Columns(columns),
        _ => Width::Unknown,
    }
}
