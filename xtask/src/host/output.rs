//! Everything that xtask prints: data on standard output, what is going on on standard error.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::host::ctx::{Ctx, Reader, Verbosity};

/// The reader of standard output has gone away.
#[derive(Debug)]
pub(crate) struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the reader of standard output has gone away")
    }
}

impl std::error::Error for OutputClosed {}

/// Prints text on standard output as it is.
///
/// # Errors
/// [`OutputClosed`] when the reader has gone away, or the error of the write.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        written => Ok(written?),
    }
}

/// Prints one line on standard output.
///
/// # Errors
/// As for [`print`].
pub(crate) fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a value as indented JSON on standard output.
///
/// # Errors
/// As for [`print`].
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints text on standard error. When nothing reads it, there is no place left to say so.
pub(crate) fn to_stderr(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

fn stderr_line(text: &str) {
    to_stderr(&format!("{text}\n"));
}

/// Prints the title of a step, does the step, and prints how long it took.
pub(crate) fn step<T>(
    ctx: &Ctx,
    title: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    if ctx.verbosity > Verbosity::Quiet {
        stderr_line(&match ctx.reader {
            Reader::GitHubActions => format!("::group::{title}"),
            Reader::Terminal { color: true } => {
                format!("\x1b[1;36m==>\x1b[0m \x1b[1m{title}\x1b[0m")
            }
            Reader::Terminal { color: false } | Reader::Plain => format!("==> {title}"),
        });
    }
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    if let Ok(mut steps) = ctx.steps.lock() {
        steps.push((title.to_owned(), seconds));
    }
    if ctx.verbosity > Verbosity::Quiet {
        let outcome = if result.is_ok() { "done" } else { "failed" };
        stderr_line(&format!("    {outcome} in {seconds:.1} s"));
        if ctx.reader == Reader::GitHubActions {
            stderr_line("::endgroup::");
        }
    }
    result
}

/// Prints a line about the current step, unless `-q` is given.
pub(crate) fn note(ctx: &Ctx, text: &str) {
    if ctx.verbosity > Verbosity::Quiet {
        stderr_line(&format!("    {text}"));
    }
}

/// Prints a line about the current step under `-v`.
pub(crate) fn detail(ctx: &Ctx, text: &str) {
    if ctx.verbosity == Verbosity::Verbose {
        stderr_line(&format!("    {text}"));
    }
}

/// Prints a warning, also under `-q`.
pub(crate) fn warn(text: &str) {
    stderr_line(&format!("warning: {text}"));
}

/// Prints a line on standard error as it is, also under `-q`: findings and the like.
pub(crate) fn finding(text: &str) {
    stderr_line(text);
}

/// Returns a progress bar for work on `total_bytes`; it is hidden unless a person looks on.
pub(crate) fn progress(ctx: &Ctx, total_bytes: u64, what: &'static str) -> ProgressBar {
    if !matches!(ctx.reader, Reader::Terminal { .. }) || ctx.verbosity == Verbosity::Quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("    {msg} [{bar:40}] {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(total_bytes).with_message(what);
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
