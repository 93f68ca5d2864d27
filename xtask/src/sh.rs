//! Runs commands and narrates: the only place that starts a process, the only one that prints steps.

use std::fs::File;
use std::io::BufRead as _;
use std::io::{BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::command::CommandLine;
use crate::ctx::{self, Ctx, Reader, Verbosity};
use crate::error::MissingTool;
use crate::files;

/// Announces a step, runs it, says how long it took.
pub(crate) fn step<T>(
    ctx: &Ctx,
    title: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    if ctx.verbosity > Verbosity::Quiet {
        match ctx.reader {
            Reader::GitHubActions => eprintln!("::group::{title}"),
            Reader::Terminal { color: true } => {
                eprintln!("\x1b[1;36m==>\x1b[0m \x1b[1m{title}\x1b[0m")
            }
            Reader::Terminal { color: false } | Reader::Plain => eprintln!("==> {title}"),
        }
    }
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    if let Ok(mut steps) = ctx.steps.lock() {
        steps.push((title.to_owned(), seconds));
    }
    if ctx.verbosity > Verbosity::Quiet {
        let outcome = if result.is_ok() { "done" } else { "failed" };
        eprintln!("    {outcome} in {seconds:.1} s");
        if ctx.reader == Reader::GitHubActions {
            eprintln!("::endgroup::");
        }
    }
    result
}

/// Says one line about what is going on.
pub(crate) fn note(ctx: &Ctx, line: &str) {
    if ctx.verbosity > Verbosity::Quiet {
        eprintln!("    {line}");
    }
}

/// Says one line only under `-v`.
pub(crate) fn detail(ctx: &Ctx, line: &str) {
    if ctx.verbosity == Verbosity::Verbose {
        eprintln!("    {line}");
    }
}

/// Says something that should not be missed.
pub(crate) fn warn(line: &str) {
    eprintln!("warning: {line}");
}

/// Runs a command with its output on standard error, since standard output is for data.
pub(crate) fn run(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<()> {
    let mut process = echo(ctx, command)?;
    process.stdout(std::io::stderr());
    let status = process
        .status()
        .with_context(|| format!("cannot start `{}`", command.program))?;
    if !status.success() {
        // Again, since the first echo has scrolled off by now.
        bail!("command failed ({status}): $ {command}");
    }
    Ok(())
}

/// Runs a command and hands each line of its standard output to `take` while it runs.
pub(crate) fn lines(
    ctx: &Ctx,
    command: &CommandLine,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut process = echo(ctx, command)?;
    let mut child = process
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.program))?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut taken = Ok(());
    for line in BufReader::new(stdout).lines() {
        let line =
            line.with_context(|| format!("cannot read what `{}` prints", command.program))?;
        taken = taken.and_then(|()| take(&line));
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.program))?;
    if !status.success() {
        bail!("command failed ({status}): $ {command}");
    }
    taken
}

/// Runs a command that lasts, such as one that forwards a port, for as long as `work` takes. The first line
/// that `ready` makes something of says that work can begin.
pub(crate) fn beside<T, R>(
    ctx: &Ctx,
    command: &CommandLine,
    ready: impl Fn(&str) -> Option<T>,
    work: impl FnOnce(T) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let mut process = echo(ctx, command)?;
    let mut child = process
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.program))?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let result = match lines.find_map(|line| ready(&line)) {
        Some(found) => work(found),
        None => Err(anyhow!("command ended too early: $ {command}")),
    };
    // Ended by itself meanwhile is fine.
    drop(child.kill());
    child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.program))?;
    result
}

/// Runs a command without an echo and gives its standard output; its errors are part of the failure.
pub(crate) fn read(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<String> {
    detail(ctx, &format!("$ {command}"));
    let output = process(ctx, command)?
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command.program))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "command failed ({}): $ {command}\n{}",
            output.status,
            said.trim()
        );
    }
    String::from_utf8(output.stdout)
        .map_err(|_| anyhow!("`{}` printed something that is not UTF-8", command.program))
}

/// The standard output of a command like diff, which exits with 1 when there is something to show.
pub(crate) fn difference(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<String> {
    let output = process(ctx, command)?
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command.program))?;
    let shown = matches!(output.status.code(), Some(0 | 1));
    if !shown {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "command failed ({}): $ {command}\n{}",
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that answers a question put on its standard input; neither is shown, since both may be secret.
pub(crate) fn ask(ctx: &Ctx, command: &CommandLine, question: &str) -> anyhow::Result<Output> {
    let cannot = || format!("cannot ask `{}`", command.program);
    let mut child = process(ctx, command)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(cannot)?;
    let mut stdin = child.stdin.take().with_context(cannot)?;
    match stdin.write_all(question.as_bytes()) {
        // It may have its answer without reading the question.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(error).with_context(cannot);
        }
        _ => drop(stdin),
    }
    child.wait_with_output().with_context(cannot)
}

fn echo(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Command> {
    if ctx.verbosity > Verbosity::Quiet {
        eprintln!("    $ {command}");
    }
    process(ctx, command)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that starts processes"
)]
fn process(ctx: &Ctx, command: &CommandLine) -> anyhow::Result<Command> {
    let program = if command.program.contains(['/', '\\']) {
        ctx.root.join(&command.program)
    } else {
        ctx::find_program(&command.program).ok_or_else(|| MissingTool(command.program.clone()))?
    };
    let mut process = Command::new(program);
    process
        .args(&command.args)
        .env_clear()
        .envs(ctx::inherited())
        .envs(&command.env);
    if ctx.reader != (Reader::Terminal { color: true }) {
        process.env("NO_COLOR", "1");
    }
    process.current_dir(
        command
            .cwd
            .as_ref()
            .map_or_else(|| ctx.root.clone(), |folder| ctx.root.join(folder)),
    );
    Ok(process)
}

/// Waits until no other `cargo xtask` writes this checkout's outputs; freed when dropped.
pub(crate) fn lock(ctx: &Ctx) -> anyhow::Result<File> {
    let path = ctx.state().join("lock");
    files::create_folder(&ctx.state())?;
    let lock = File::create(&path).with_context(|| format!("cannot open {path}"))?;
    if lock.try_lock().is_err() {
        note(ctx, "waiting for another cargo xtask to finish");
        lock.lock().with_context(|| format!("cannot lock {path}"))?;
    }
    Ok(lock)
}

/// A bar for work on `total_bytes`; invisible unless a person looks on.
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
