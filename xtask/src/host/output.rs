//! Everything that xtask prints: data on standard output, progress on standard error.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::host::ctx::{Ctx, Reader, Verbosity};

/// The error of a standard output that nothing reads any more.
#[derive(Debug)]
pub(crate) struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("standard output is closed")
    }
}

impl std::error::Error for OutputClosed {}

/// Prints text on standard output.
///
/// # Errors
/// [`OutputClosed`] when nothing reads it any more, or the error of the write.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        written => Ok(written?),
    }
}

/// Prints one line on standard output.
///
/// # Errors
/// As for [`print()`].
pub(crate) fn line(text: impl fmt::Display) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a value as indented JSON on standard output.
///
/// # Errors
/// As for [`print()`].
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints text on standard error; a failure is ignored.
pub(crate) fn to_stderr(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

fn stderr_line(text: &str) {
    to_stderr(&format!("{text}\n"));
}

/// Prints the title of a step, runs `work`, and prints how long it took.
pub(crate) fn step<T>(
    ctx: &Ctx,
    title: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let (start, end) = match ctx.reader {
        Reader::GitHubActions => ("::group::", ""),
        Reader::Terminal { color: true } => ("\x1b[1;36m==>\x1b[0m \x1b[1m", "\x1b[0m"),
        Reader::Terminal { color: false } | Reader::Plain => ("==> ", ""),
    };
    if ctx.verbosity > Verbosity::Quiet {
        stderr_line(&format!("{start}{title}{end}"));
    }
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    if let Ok(mut steps) = ctx.steps.lock() {
        steps.push((title.to_owned(), seconds));
    }
    if ctx.verbosity > Verbosity::Quiet {
        let outcome = if result.is_ok() { "done" } else { "failed" };
        note(ctx, &format!("{outcome} in {seconds:.1} s"));
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

/// Prints a line about the current step, only with `-v`.
pub(crate) fn detail(ctx: &Ctx, text: &str) {
    if ctx.verbosity == Verbosity::Verbose {
        stderr_line(&format!("    {text}"));
    }
}

/// Prints a warning, also with `-q`.
pub(crate) fn warn(text: &str) {
    stderr_line(&format!("warning: {text}"));
}

/// Prints a line on standard error, also with `-q`.
pub(crate) fn finding(text: &str) {
    stderr_line(text);
}

/// Returns a progress bar for `total_bytes`, which is shown only on a terminal and without `-q`.
pub(crate) fn progress(ctx: &Ctx, total_bytes: u64, what: &'static str) -> ProgressBar {
    if !matches!(ctx.reader, Reader::Terminal { .. }) || ctx.verbosity == Verbosity::Quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("    {msg} [{bar:40}] {bytes}/{total_bytes} {eta}");
    let style = style.expect("the template is valid").progress_chars("=> ");
    let bar = ProgressBar::new(total_bytes).with_message(what);
    bar.with_style(style)
}
