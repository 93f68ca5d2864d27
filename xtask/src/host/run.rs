//! Runs commands: planned ones as they stand in a plan, others as `xshell::cmd!` writes them. Each is printed before
//! it runs, and its failure names it. The environment is cleaned of what could change their result.

use std::fs::File;
use std::io::BufRead as _;
use std::io::{BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, anyhow, bail};
use camino::Utf8Path;
use noetl_help::Help as _;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx, Reader, Verbosity};
use crate::host::error::MissingTool;
use crate::host::{files, output};

/// What can be run: a planned command, or one that `xshell::cmd!` wrote.
pub(crate) trait Runnable {
    /// Returns the process to start, in a cleaned environment.
    fn process(&self, ctx: &Ctx) -> anyhow::Result<Command>;

    /// Returns the whole text, which can be pasted into a shell.
    fn text(&self) -> String;

    /// Returns one line that says what runs.
    fn short(&self) -> String;
}

impl Runnable for CommandLine {
    fn process(&self, ctx: &Ctx) -> anyhow::Result<Command> {
        let shell = ctx.shell.clone();
        let folder = self.cwd.as_deref().unwrap_or(Utf8Path::new(""));
        shell.change_dir(ctx.root.join(folder));
        let cmd = shell.cmd(&self.program).args(&self.args).envs(&self.env);
        prepare(ctx, cmd)
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn short(&self) -> String {
        Self::short(self)
    }
}

impl Runnable for xshell::Cmd<'_> {
    fn process(&self, ctx: &Ctx) -> anyhow::Result<Command> {
        prepare(ctx, self.clone())
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn short(&self) -> String {
        self.to_string()
    }
}

/// Finds the program on PATH and cleans the environment of everything that the command does not set itself.
fn prepare(ctx: &Ctx, cmd: xshell::Cmd<'_>) -> anyhow::Result<Command> {
    let written = Command::from(cmd);
    let name = written.get_program().to_string_lossy().into_owned();
    let program = if name.contains(['/', '\\']) {
        ctx.root.join(&name)
    } else {
        ctx::find_program(&name).ok_or(MissingTool(name))?
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts processes"
    )]
    let mut process = Command::new(program);
    process
        .args(written.get_args())
        .env_clear()
        .envs(ctx::inherited());
    if ctx.reader != (Reader::Terminal { color: true }) {
        process.env("NO_COLOR", "1");
    }
    for (name, value) in written.get_envs() {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    process.current_dir(written.get_current_dir().unwrap_or(ctx.root.as_std_path()));
    Ok(process)
}

/// Runs a command with its output on standard error, since standard output is for data.
pub(crate) fn run(ctx: &Ctx, command: &impl Runnable) -> anyhow::Result<()> {
    let mut process = echo(ctx, command)?;
    process.stdout(std::io::stderr());
    let status = process
        .status()
        .with_context(|| format!("cannot start `{}`", command.short()))?;
    if !status.success() {
        return Err(failed(command, status));
    }
    Ok(())
}

/// Returns the error of a command, which says how to see the whole of it.
fn failed(command: &impl Runnable, status: std::process::ExitStatus) -> anyhow::Error {
    let (short, text) = (command.short(), command.text());
    let error = anyhow!("command failed ({status}): $ {short}");
    if short == text {
        return error;
    }
    error.help("`-v` prints the whole command before it runs")
}

/// Runs a command and calls `take` with each line of its standard output while it runs.
pub(crate) fn lines(
    ctx: &Ctx,
    command: &impl Runnable,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut process = echo(ctx, command)?;
    let mut child = process
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.short()))?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut taken = Ok(());
    for line in BufReader::new(stdout).lines() {
        let line =
            line.with_context(|| format!("cannot read what `{}` prints", command.short()))?;
        taken = taken.and_then(|()| take(&line));
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.short()))?;
    if !status.success() {
        return Err(failed(command, status));
    }
    taken
}

/// Runs a command that lasts, such as one that forwards a port, while `work` is done, and then ends it. `ready` is
/// called with each line that it prints, until it returns a value: then work begins with that.
pub(crate) fn beside<T, R>(
    ctx: &Ctx,
    command: &impl Runnable,
    ready: impl Fn(&str) -> Option<T>,
    work: impl FnOnce(T) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let mut process = echo(ctx, command)?;
    let mut child = process
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.short()))?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let result = match lines.find_map(|line| ready(&line)) {
        Some(found) => work(found),
        None => Err(anyhow!("command ended too early: $ {}", command.text())),
    };
    // Ended by itself meanwhile is fine.
    drop(child.kill());
    child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.short()))?;
    result
}

/// Runs a command without printing it and returns its standard output; its standard error is part of a failure.
pub(crate) fn read(ctx: &Ctx, command: &impl Runnable) -> anyhow::Result<String> {
    output::detail(ctx, &format!("$ {}", command.text()));
    let output = command.process(ctx)?
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command.short()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "command failed ({}): $ {}\n{}",
            output.status,
            command.text(),
            message.trim()
        );
    }
    String::from_utf8(output.stdout)
        .map_err(|_| anyhow!("`{}` printed something that is not UTF-8", command.short()))
}

/// Returns the standard output of a command such as diff, which exits with 1 when there is something to show.
pub(crate) fn difference(ctx: &Ctx, command: &impl Runnable) -> anyhow::Result<String> {
    let output = command.process(ctx)?
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command.short()))?;
    let shown = matches!(output.status.code(), Some(0 | 1));
    if !shown {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "command failed ({}): $ {}\n{}",
            output.status,
            command.text(),
            message.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that reads a question from its standard input, and returns its answer. Neither is printed, since
/// both may be secret.
pub(crate) fn ask(ctx: &Ctx, command: &impl Runnable, question: &str) -> anyhow::Result<Output> {
    let cannot = || format!("cannot ask `{}`", command.short());
    let mut child = command.process(ctx)?
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

/// Prints a command before it runs: one line, or the whole of it under `-v`.
fn echo(ctx: &Ctx, command: &impl Runnable) -> anyhow::Result<Command> {
    if ctx.verbosity == Verbosity::Verbose {
        output::note(ctx, &format!("$ {}", command.text()));
    } else {
        output::note(ctx, &format!("$ {}", command.short()));
    }
    command.process(ctx)
}

/// Waits until no other `cargo xtask` writes this checkout's outputs; freed when dropped.
pub(crate) fn lock(ctx: &Ctx) -> anyhow::Result<File> {
    let path = ctx.state().join("lock");
    files::create_folder(&ctx.state())?;
    let lock = File::create(&path).with_context(|| format!("cannot open {path}"))?;
    if lock.try_lock().is_err() {
        output::note(ctx, "waiting for another cargo xtask to finish");
        lock.lock().with_context(|| format!("cannot lock {path}"))?;
    }
    Ok(lock)
}
