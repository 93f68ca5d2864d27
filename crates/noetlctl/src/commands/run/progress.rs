//! Shows the progress of a local run: a spinner for each running step on a terminal, lines elsewhere.
//!
//! The output of steps goes to the stream that they write to; lines about steps go to standard error.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use noetl_api::event::ExecutionEvent;
use noetl_api::log::{LogLine, LogStream};
use noetl_api::{EventStatus, ExecutionStatus};
use noetl_engine::execution::{Event, event_name};
use noetl_engine::{Failure, Stream};
use serde_json::Value;

use crate::commands::logs;
use crate::{config, output};

/// How often a spinner moves.
const SPINNER_INTERVAL: Duration = Duration::from_millis(120);

/// The progress of a run, or of a playbook that it calls.
#[derive(Clone)]
pub(in crate::commands) struct Progress {
    shared: Arc<Shared>,
    depth: usize,
}

struct Shared {
    /// The spinners; only on a terminal.
    bars: Option<MultiProgress>,
    colour: bool,
    json: bool,
    verbose: bool,
    running: Mutex<HashMap<String, (Instant, Option<ProgressBar>)>>,
    /// The message of the last failure, until it is known whether the run fails of it: then it is printed at the end.
    held: Mutex<Option<Held>>,
    /// The file of `--logs`, with the first error of writing to it.
    log: Option<Mutex<(File, Option<io::Error>)>>,
}

/// What is shown of an event, of a local run or of a server.
pub(in crate::commands) struct StepEvent<'a> {
    name: &'a str,
    step: Option<&'a str>,
    command: Option<&'a str>,
    status: EventStatus,
    context: &'a Value,
    /// Returns what came out.
    result: Box<dyn Fn() -> Value + 'a>,
    error: Option<&'a Failure>,
    duration: Option<Duration>,
}

impl<'a> From<&'a Event> for StepEvent<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            name: event.name,
            step: event.step.as_deref(),
            command: event.command_id.as_deref(),
            status: event.status,
            context: &event.context,
            result: Box::new(|| event.result()),
            error: event.error.as_ref(),
            duration: event.duration_ms.map(Duration::from_millis),
        }
    }
}

impl<'a> From<&'a ExecutionEvent> for StepEvent<'a> {
    fn from(event: &'a ExecutionEvent) -> Self {
        let duration = event
            .duration
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            name: &event.event_type,
            step: event.node_name.as_deref(),
            command: event.node_id.as_deref(),
            status: event.status,
            context: &event.context,
            result: Box::new(|| event.result.clone()),
            error: event.error.as_ref(),
            duration,
        }
    }
}

/// A failure that has not been printed.
struct Held {
    label: String,
    message: String,
}

impl Progress {
    pub(in crate::commands) fn new(json: bool, verbose: bool) -> Self {
        let terminal = io::stderr().is_terminal() && io::stdout().is_terminal() && !json;
        Self {
            shared: Arc::new(Shared {
                bars: terminal.then(MultiProgress::new),
                colour: terminal && config::colour_allowed(),
                json,
                verbose,
                running: Mutex::default(),
                held: Mutex::default(),
                log: None,
            }),
            depth: 0,
        }
    }

    /// Has what steps print written to a file too. Called before the progress is shared.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn logging_to(mut self, path: &Path) -> anyhow::Result<Self> {
        let file = logs::create(path)?;
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.log = Some(Mutex::new((file, None)));
        }
        Ok(self)
    }

    /// Warns when the file of `--logs` does not have all lines.
    pub(super) fn check_log(&self) {
        if let Some(log) = &self.shared.log
            && let Some(error) = &log.lock().unwrap_or_else(PoisonError::into_inner).1
        {
            note!("warning: the file of --logs is not complete: {error}");
        }
    }

    /// Prints the name of a playbook that a step calls. Returns the progress of it.
    pub(super) fn called_playbook(&self, name: &str) -> Self {
        let called = Self {
            shared: Arc::clone(&self.shared),
            depth: self.depth + 1,
        };
        called.print(&format!("{}{name}", "  ".repeat(called.depth)));
        called
    }

    pub(super) fn started(&self, name: &str, steps: usize) {
        let plural = if steps == 1 { "" } else { "s" };
        self.print(&format!("{name}: {steps} step{plural}"));
    }

    pub(in crate::commands) fn ended(&self, status: ExecutionStatus, elapsed: Duration) {
        self.print(&format!(
            "{}  {}",
            self.status_text(status.into(), status.as_str()),
            seconds(elapsed)
        ));
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, (Instant, Option<ProgressBar>)>> {
        self.shared
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints the failure that is held, unless the run fails of it.
    fn settle(&self, event: &StepEvent<'_>) {
        let is_about_the_same = matches!(
            event.name,
            event_name::STEP_EXIT | event_name::COMMAND_FAILED | event_name::LOOP_DONE
        );
        if is_about_the_same {
            return;
        }
        let held = self.shared.held.lock();
        let held = held.unwrap_or_else(PoisonError::into_inner).take();
        let Some(Held { label, message }) = held else {
            return;
        };
        let is_reported = event.name == event_name::WORKFLOW_FAILED
            && event
                .error
                .as_ref()
                .is_some_and(|error| error.message == message);
        if !is_reported {
            self.print(&format!("  {label}: {}", output::sanitize(&message)));
        }
    }

    /// Prints that a step is tried again.
    pub(super) fn retrying(
        &self,
        step: &str,
        attempt: u32,
        failure: Option<&Failure>,
        delay: Duration,
    ) {
        let label = format!("{}{}", "  ".repeat(self.depth + 1), output::sanitize(step));
        let delay = match delay.is_zero() {
            true => String::new(),
            false => format!(" in {}", seconds(delay)),
        };
        let reason = failure.map(|failure| format!(": {}", output::sanitize(&failure.message)));
        let (next, reason) = (attempt + 1, reason.unwrap_or_default());
        self.print(&format!("retry {label}  attempt {next}{delay}{reason}"));
    }

    /// Shows an event of the run.
    pub(in crate::commands) fn event<'e>(&mut self, event: impl Into<StepEvent<'e>>) {
        let event = event.into();
        self.settle(&event);
        let (Some(step), command) = (event.step, event.command) else {
            return;
        };
        let label = format!("{}{}", "  ".repeat(self.depth + 1), output::sanitize(step));
        match event.name {
            event_name::COMMAND_STARTED => self.command_started(command.unwrap_or(step), &label),
            event_name::CALL_DONE
            | event_name::CALL_ERROR
            | event_name::SINK_EXECUTED
            | event_name::SINK_FAILED => {
                let running = self.running().remove(command.unwrap_or(step));
                let elapsed = running.as_ref().map(|(started, _)| started.elapsed());
                let (_, bar) = running.unwrap_or((Instant::now(), None));
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
                let saved = if event.name.starts_with("sink") {
                    " saved"
                } else {
                    ""
                };
                let item = event.context.get("iteration").and_then(Value::as_u64);
                let item = item.map(|index| format!("[{index}]")).unwrap_or_default();
                self.print(&format!(
                    "{} {label}{item}{saved}  {}",
                    self.status_text(event.status, ""),
                    seconds(event.duration.or(elapsed).unwrap_or_default())
                ));
                if let Some(error) = event
                    .error
                    .filter(|_| event.name != event_name::SINK_FAILED)
                {
                    let held = self.shared.held.lock();
                    *held.unwrap_or_else(PoisonError::into_inner) = Some(Held {
                        label,
                        message: error.message.clone(),
                    });
                } else if self.shared.verbose {
                    let result = (event.result)();
                    if !result.is_null() {
                        self.print(&format!("  {label} -> {}", shortened(&result)));
                    }
                }
            }
            event_name::COMMAND_ISSUED => {
                let number = |name: &str| event.context.get(name).and_then(Value::as_u64);
                let attempt = number("attempt").unwrap_or(1);
                if let Some(made) = u32::try_from(attempt).ok().filter(|attempt| *attempt > 1) {
                    let delay = Duration::from_millis(number("delay_ms").unwrap_or(0));
                    self.retrying(step, made - 1, None, delay);
                }
            }
            event_name::STEP_SKIPPED => self.print(&format!("- {label}  skipped")),
            _ => {}
        }
    }

    fn command_started(&self, command: &str, label: &str) {
        let bar = self.shared.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_message(label.to_owned());
            bar.enable_steady_tick(SPINNER_INTERVAL);
            bar
        });
        self.running()
            .insert(command.to_owned(), (Instant::now(), bar));
    }

    /// Prints a line that a step's program has written.
    /// Shows a line that a step of a server prints.
    pub(in crate::commands) fn remote_line(&self, line: &LogLine) {
        let stream = match line.stream {
            LogStream::Stdout => Stream::Out,
            LogStream::Stderr => Stream::Err,
            LogStream::Note => Stream::Note,
        };
        self.line(Some(&line.step), line.attempt, stream, &line.text);
    }

    /// Shows a line of a step's output, and writes it to the file of `--logs`.
    pub(super) fn line(&self, step: Option<&str>, attempt: u32, stream: Stream, line: &str) {
        if let Some(log) = &self.shared.log {
            let line = LogLine {
                step: step.unwrap_or_default().to_owned(),
                item: None,
                attempt,
                line: 0,
                time: clock_text(),
                stream: log_stream(stream),
                text: line.to_owned(),
            };
            let text = logs::text(&line, true);
            let mut file = log.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk does not stop the run; it is told at the end.
            let written = writeln!(file.0, "{text}");
            file.1 = file.1.take().or(written.err());
        }
        if stream == Stream::Note && !self.shared.verbose {
            return;
        }
        let text = match step.filter(|_| self.shared.verbose) {
            Some(step) => format!("{step} {} {line}", logs::mark(log_stream(stream))),
            None => line.to_owned(),
        };
        let text = match &self.shared.bars {
            // Only on a terminal.
            Some(_) => output::plain(&text),
            None => text,
        };
        let print = || {
            // A closed stream does not stop the run.
            match stream {
                Stream::Out if !self.shared.json => writeln!(io::stdout(), "{text}").ok(),
                Stream::Out | Stream::Err | Stream::Note => writeln!(io::stderr(), "{text}").ok(),
            }
        };
        match &self.shared.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        };
    }

    /// Prints a line on standard error, above the spinners.
    fn print(&self, text: &str) {
        let print = || writeln!(io::stderr(), "{text}").ok();
        match &self.shared.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        };
    }

    /// Returns `word` in the colour of a status, or a short word for the status if `word` is empty.
    fn status_text(&self, status: EventStatus, word: &str) -> String {
        let (short, code) = match status {
            EventStatus::Completed => ("ok", "32"),
            EventStatus::Cancelled => ("--", "35"),
            _ => ("FAILED", "31"),
        };
        let text = if word.is_empty() { short } else { word };
        if self.shared.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.2} s", elapsed.as_secs_f64()),
        seconds => format!("{}m {}s", seconds / 60, seconds % 60),
    }
}

/// Formats a value on one line of at most 300 characters.
fn shortened(value: &Value) -> String {
    one_line(value, 300)
}

/// Formats a value on one line of at most so many characters.
pub(in crate::commands) fn one_line(value: &Value, length: usize) -> String {
    let text = output::sanitize(&value.to_string());
    let mut short: String = text.chars().take(length).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn log_stream(stream: Stream) -> LogStream {
    match stream {
        Stream::Out => LogStream::Stdout,
        Stream::Err => LogStream::Stderr,
        Stream::Note => LogStream::Note,
    }
}

/// Returns the time, in RFC 3339.
fn clock_text() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
