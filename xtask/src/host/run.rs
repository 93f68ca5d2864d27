//! Runs commands in the context's `xshell::Shell`: those of a plan, and those that `cmd!` makes. Each one is printed before
//! it runs, errors name it, and it inherits no variable that could change its result.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Lines, Write as _};
use std::panic::resume_unwind;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;

use crate::host::command::Runnable;
use crate::host::ctx::{self, Ctx, Reader, Verbosity};
use crate::host::error::MissingTool;
use crate::host::{files, output};

/// A command and the process that runs it.
struct Prepared {
    process: Command,
    /// The whole command, which can be pasted into a shell.
    text: String,
    /// The same in one line of limited length.
    short: String,
}

impl Prepared {
    /// Finds the program on PATH and sets up its environment.
    fn new(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<Self> {
        let command = command.into_command();
        let name = &command.program;
        let program = match name.contains(['/', '\\']) {
            true => ctx.root.join(name),
            false => ctx::find_program(name).ok_or_else(|| MissingTool(name.clone()))?,
        };
        let mut process = ctx.shell.cmd(program).args(&command.args).env_clear();
        process = process.envs(ctx::inherited());
        if ctx.reader != (Reader::Terminal { color: true }) {
            process = process.env("NO_COLOR", "1");
        }
        let mut process = Command::from(process.envs(&command.env));
        if let Some(folder) = &command.cwd {
            process.current_dir(ctx.root.join(folder));
        }
        let (text, short) = (command.to_string(), command.short());
        Ok(Self {
            process,
            text,
            short,
        })
    }

    /// Prepares a command and prints it: one line, or the whole command with `-v`.
    fn echo(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<Self> {
        let prepared = Self::new(ctx, command)?;
        let text = match ctx.verbosity {
            Verbosity::Verbose => &prepared.text,
            _ => &prepared.short,
        };
        output::note(ctx, &format!("$ {text}"));
        Ok(prepared)
    }

    fn cannot_start(&self) -> String {
        format!("cannot start `{}`", self.short)
    }

    /// Starts the process and returns it with the lines of its standard output.
    fn start(&mut self) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let child = self.process.stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        Ok((child, BufReader::new(stdout).lines()))
    }

    fn wait(&self, child: &mut Child) -> anyhow::Result<ExitStatus> {
        let status = child.wait();
        status.with_context(|| format!("cannot wait for `{}`", self.short))
    }

    /// Fails when the process failed, whose output has been printed.
    fn ensure_success(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        let error = anyhow!("command failed ({status}): $ {}", self.short);
        match self.short == self.text {
            true => Err(error),
            false => Err(error).help("`-v` prints the whole command before it runs"),
        }
    }
}

/// Runs a command. All its output goes to standard error, since standard output is for data.
pub(crate) fn run(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<()> {
    let mut command = Prepared::echo(ctx, command)?;
    let status = command.process.stdout(std::io::stderr()).status();
    command.ensure_success(status.with_context(|| command.cannot_start())?)
}

/// Runs a command and calls `take` with each line of its standard output as soon as it is printed.
pub(crate) fn lines(
    ctx: &Ctx,
    command: impl Runnable,
    mut take: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut command = Prepared::echo(ctx, command)?;
    let (mut child, lines) = command.start()?;
    let mut taken = Ok(());
    for line in lines {
        let line = line.with_context(|| format!("cannot read what `{}` prints", command.short))?;
        taken = taken.and_then(|()| take(&line));
    }
    command.ensure_success(command.wait(&mut child)?)?;
    taken
}

/// Runs `work` while a command runs that does not end by itself, such as one that forwards a port. `ready` is called with
/// each line that the command prints until it returns a value, which `work` gets.
pub(crate) fn beside<T, R>(
    ctx: &Ctx,
    command: impl Runnable,
    ready: impl Fn(&str) -> Option<T>,
    work: impl FnOnce(T) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let mut command = Prepared::echo(ctx, command)?;
    command.process.stdin(Stdio::null());
    let (mut child, lines) = command.start()?;
    let mut lines = lines.map_while(Result::ok);
    let result = match lines.find_map(|line| ready(&line)) {
        Some(found) => work(found),
        None => Err(anyhow!("command ended too early: $ {}", command.text)),
    };
    // Fails when the process has ended meanwhile.
    drop(child.kill());
    command.wait(&mut child)?;
    result
}

/// Runs a command and returns its standard output. The command is printed only with `-v`, its standard error only as part
/// of an error.
pub(crate) fn read(ctx: &Ctx, command: impl Runnable) -> anyhow::Result<String> {
    let mut command = Prepared::new(ctx, command)?;
    output::detail(ctx, &format!("$ {}", command.text));
    let output = command.process.stdin(Stdio::null()).output();
    let output = output.with_context(|| command.cannot_start())?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let (status, text) = (output.status, command.text);
        bail!("command failed ({status}): $ {text}\n{}", message.trim());
    }
    String::from_utf8(output.stdout)
        .map_err(|_| anyhow!("`{}` printed something that is not UTF-8", command.short))
}

/// Runs a command with `input` as its standard input and returns its output. Nothing is printed, since both may be secret.
pub(crate) fn with_input(ctx: &Ctx, command: impl Runnable, input: &str) -> anyhow::Result<Output> {
    let mut command = Prepared::new(ctx, command)?;
    let cannot = format!("cannot run `{}`", command.short);
    let process = command.process.stdin(Stdio::piped());
    let process = process.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().context(cannot.clone())?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    match stdin.write_all(input.as_bytes()) {
        // A program may end without reading its input.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context(cannot),
        _ => {
            drop(stdin);
            child.wait_with_output().context(cannot)
        }
    }
}

/// Does `this` in this thread and `other` in a second one, with its own copy of the context. For commands that only read.
pub(crate) fn both<A: Send, B>(
    ctx: &Ctx,
    other: impl FnOnce(&Ctx) -> A + Send,
    this: impl FnOnce() -> B,
) -> (B, A) {
    let copy = ctx.clone();
    std::thread::scope(|scope| {
        let other = scope.spawn(move || other(&copy));
        let this = this();
        let other = other.join();
        (this, other.unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Waits until no other `cargo xtask` writes to this checkout; the lock is released when it is dropped.
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
