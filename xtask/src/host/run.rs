//! Runs commands: planned ones as they stand in a plan, others as `xshell::cmd!` writes them. Each is printed before
//! it runs, and its failure names it. The environment is cleaned of what could change their result.

use std::fs::File;
use std::io::BufRead as _;
use std::io::{BufReader, Write as _};
use std::process::{Command, ExitStatus, Output, Stdio};

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
    ///
    /// # Errors
    /// [`MissingTool`] when the program is not on PATH.
    fn prepare(self, ctx: &Ctx) -> anyhow::Result<Prepared>;
}

/// A process that is ready to start, and how it is named.
pub(crate) struct Prepared {
    process: Command,
    /// The whole command, which can be pasted into a shell.
    text: String,
    /// One line that says what runs.
    short: String,
}

impl Runnable for &CommandLine {
    fn prepare(self, ctx: &Ctx) -> anyhow::Result<Prepared> {
        let shell = ctx.shell.clone();
        let folder = self.cwd.as_deref().unwrap_or(Utf8Path::new(""));
        shell.change_dir(ctx.root.join(folder));
        let cmd = shell.cmd(&self.program).args(&self.args).envs(&self.env);
        Ok(Prepared {
            process: clean(ctx, cmd)?,
            text: self.to_string(),
            short: self.short(),
        })
    }
}

impl Runnable for xshell::Cmd<'_> {
    fn prepare(self, ctx: &Ctx) -> anyhow::Result<Prepared> {
        let text = self.to_string();
        Ok(Prepared {
            process: clean(ctx, self)?,
            short: text.clone(),
            text,
        })
    }
}

/// Finds the program on PATH and cleans the environment of everything that the command does not set itself.
fn clean(ctx: &Ctx, cmd: xshell::Cmd<'_>) -> anyhow::Result<Command> {
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

impl Prepared {
    fn cannot_start(&self) -> String {
        format!("cannot start `{}`", self.short)
    }

    /// Returns the error of a command whose output was shown; its help says how to see the whole of it.
    fn failed(&self, status: ExitStatus) -> anyhow::Error {
        let Self { text, short, .. } = self;
        let error = anyhow!("command failed ({status}): $ {short}");
        if short == text {
            return error;
        }
        error.help("`-v` prints the whole command before it runs")
    }

    /// Runs to its end without input and returns what it printed.
    fn output(&mut self) -> anyhow::Result<Vec<u8>> {
        let output = self
            .process
            .stdin(Stdio::null())
            .output()
            .with_context(|| self.cannot_start())?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "command failed ({}): $ {}\n{}",
            output.status,
            self.text,
            message.trim()
        )
    }
}

/// Runs a command with its output on standard error, since standard output is for data.
pub(crate) fn run(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<()> {
    let mut command = echo(ctx, command)?;
    command.process.stdout(std::io::stderr());
    let status = command
        .process
        .status()
        .with_context(|| command.cannot_start())?;
    if !status.success() {
        return Err(command.failed(status));
    }
    Ok(())
}

/// Runs a command and calls `take` with each line of its standard output while it runs.
pub(crate) fn lines(
    ctx: &Ctx,
    command: impl Runnable,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut command = echo(ctx, command)?;
    let mut child = command
        .process
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| command.cannot_start())?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut taken = Ok(());
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("cannot read what `{}` prints", command.short))?;
        taken = taken.and_then(|()| take(&line));
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.short))?;
    if !status.success() {
        return Err(command.failed(status));
    }
    taken
}

/// Runs a command that lasts, such as one that forwards a port, while `work` is done, and then ends it. `ready` is
/// called with each line that it prints, until it returns a value: then work begins with that.
pub(crate) fn beside<T, R>(
    ctx: &Ctx,
    command: impl Runnable,
    ready: impl Fn(&str) -> Option<T>,
    work: impl FnOnce(T) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let mut command = echo(ctx, command)?;
    let mut child = command
        .process
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| command.cannot_start())?;
    let stdout = child
        .stdout
        .take()
        .context("the command's output was asked for")?;
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let result = match lines.find_map(|line| ready(&line)) {
        Some(found) => work(found),
        None => Err(anyhow!("command ended too early: $ {}", command.text)),
    };
    // It may have ended by itself meanwhile.
    drop(child.kill());
    child
        .wait()
        .with_context(|| format!("cannot wait for `{}`", command.short))?;
    result
}

/// Runs a command without printing it and returns its standard output; its standard error is part of a failure.
pub(crate) fn read(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<String> {
    let mut command = command.prepare(ctx)?;
    output::detail(ctx, &format!("$ {}", command.text));
    String::from_utf8(command.output()?)
        .map_err(|_| anyhow!("`{}` printed something that is not UTF-8", command.short))
}

/// Runs a command that reads a question from its standard input, and returns its answer. Neither is printed, since
/// both may be secret.
pub(crate) fn ask(ctx: &Ctx, command: impl Runnable, question: &str) -> anyhow::Result<Output> {
    let mut command = command.prepare(ctx)?;
    let cannot = format!("cannot ask `{}`", command.short);
    let mut child = command
        .process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot.clone())?;
    let mut stdin = child.stdin.take().with_context(|| cannot.clone())?;
    match stdin.write_all(question.as_bytes()) {
        // It may have its answer without reading the question.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            return Err(error).context(cannot);
        }
        _ => drop(stdin),
    }
    child.wait_with_output().context(cannot)
}

/// Prepares a command and prints it: one line, or the whole of it under `-v`.
fn echo(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<Prepared> {
    let command = command.prepare(ctx)?;
    let text = match ctx.verbosity {
        Verbosity::Verbose => &command.text,
        _ => &command.short,
    };
    output::note(ctx, &format!("$ {text}"));
    Ok(command)
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
