//! Child processes of the tools: started, read, and ended together with their descendants.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::Instant;

use super::call::Call;
use super::output_reader::OutputReader;
use crate::host::{Host, Stream};
#[cfg(unix)]
use crate::processes::{Mark, StepGuard, VARIABLE};
use noetl_api::Failure;

/// The most that is kept of each output stream.
pub(super) const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// How long the pipes of an ended child may be silent before they count as held by a background process.
const MAX_SILENCE: Duration = Duration::from_millis(200);

/// How long the output of a background process is read after the child's end.
const MAX_TIME_AFTER_EXIT: Duration = Duration::from_secs(5);

/// A program to run.
#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    /// The program, searched in PATH when it has no folder.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its standard input.
    pub input: Arc<Vec<u8>>,
    /// The most that is kept of each output stream.
    pub limit: usize,
    /// Whether the host gets the lines of its standard output while it runs.
    pub forward_stdout: bool,
}

/// How a child ended.
#[derive(Debug)]
pub(super) struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Returns the exit code; of a killed child 128 and the signal's number, as shells do.
    pub(super) fn code(&self) -> i64 {
        self.status
            .code()
            .map_or_else(|| 128 + i64::from(self.signal().unwrap_or(0)), i64::from)
    }

    /// Returns how it ended, as a clause: `exited with code 3`.
    fn ending(&self) -> String {
        match self.signal() {
            Some(signal) => format!("was killed by {}", signal_name(signal)),
            None => format!("exited with code {}", self.code()),
        }
    }

    #[cfg(unix)]
    fn signal(&self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.status)
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "the same call on every system")]
    fn signal(&self) -> Option<i32> {
        None
    }

    /// Returns the failure of a child that failed: how it ended, and its last line of output.
    pub(super) fn failure(&self) -> Failure {
        let last = [&self.stderr, &self.stdout].into_iter().find_map(|text| {
            text.lines()
                .map(str::trim)
                .rev()
                .find(|line| !line.is_empty())
        });
        let ending = self.ending();
        Failure {
            code: Some(Json::from(self.code())),
            ..Failure::new(
                "exit",
                last.map_or_else(|| ending.clone(), |line| format!("{ending}: {line}")),
            )
        }
    }
}

/// Returns a signal's name; those with a name here have the same number on every system.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// What a step has started; ended when this is dropped before the step has ended.
#[cfg(unix)]
pub(super) struct StepProcesses {
    mark: Mark,
    guard: StepGuard,
    /// The leader of their process group, as long as it has not ended.
    leader: Option<rustix::process::Pid>,
    has_ended: bool,
}

#[cfg(unix)]
impl StepProcesses {
    /// Returns those of a step that is about to start.
    pub(super) fn new(host: &dyn Host) -> Self {
        let (mark, guard) = (Mark::new(), host.tool_environment().guard.clone());
        guard.started(&mark);
        Self {
            mark,
            guard,
            leader: None,
            has_ended: false,
        }
    }

    /// Returns the variable that they have in their environment.
    pub(super) fn variable(&self) -> (String, String) {
        (VARIABLE.to_owned(), self.mark.as_str().to_owned())
    }

    fn set_leader(&mut self, child: &tokio::process::Child) {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        self.leader = id.and_then(rustix::process::Pid::from_raw);
    }

    /// Leaves them alone from now on. Once the step has ended, the processes that are left were started to stay, and the
    /// system may give the group's number to another one.
    pub(super) fn release(&mut self) {
        self.has_ended = true;
    }
}

#[cfg(unix)]
impl Drop for StepProcesses {
    fn drop(&mut self) {
        if !self.has_ended {
            self.mark.end(self.leader);
        }
        self.guard.ended(&self.mark);
    }
}

/// Returns the failure of a program that could not be started. When its arguments and variables are more than the system
/// passes on, it names the largest of them by its field.
fn not_started(job: &Job, call: &Call<'_>, error: &io::Error) -> Failure {
    let program = job.program.to_string_lossy();
    if error.kind() != io::ErrorKind::ArgumentListTooLong {
        let message = format!("cannot start `{program}`: {error}");
        return Failure::new(call.kind.name(), message);
    }
    let arguments = job.arguments.iter().map(|it| it.len()).sum();
    let script = ["cmds", "cmd", "command", "commands", "code", "args"];
    let script = script
        .into_iter()
        .find(|name| call.config.contains_key(*name));
    let mut fields = vec![(arguments, script.unwrap_or("args").to_owned())];
    let variables = environment(call).unwrap_or_default();
    fields.extend(
        variables
            .into_iter()
            .map(|(name, value)| (value.len(), format!("env.{name}"))),
    );
    let (bytes, field) = fields.into_iter().max().unwrap_or_default();
    let message = format!(
        "cannot start `{program}`: the field `{field}` has {bytes} bytes, which is more than the system passes to a program"
    );
    Failure::new(call.kind.name(), message)
        .help("pass it in the field `stdin`, or write it to a file and pass its name")
}

/// Runs a program to its end; returns none when there is no such program.
///
/// Dropping the future kills the child and its descendants.
pub(super) async fn run(
    job: Job,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    let mut command = command(&job, call, host)?;
    #[cfg(unix)]
    let mut processes = StepProcesses::new(host);
    #[cfg(unix)]
    command.envs([processes.variable()]);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            #[cfg(unix)]
            processes.release();
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                _ => Err(not_started(&job, call, &error)),
            };
        }
    };
    #[cfg(unix)]
    processes.set_leader(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let streams = Streams {
        input: write_input(stdin, job.input),
        stdout,
        stderr,
        ended: async move {
            let ended = child.wait().await;
            #[cfg(unix)]
            processes.release();
            ended
        },
    };
    let limits = (job.limit, job.forward_stdout);
    follow(streams, limits, call, host).await.map(Some)
}

/// The streams of a child that runs, and its end.
pub(super) struct Streams<I, O, E, W> {
    /// Writes its standard input.
    pub input: I,
    /// Its standard output.
    pub stdout: Option<O>,
    /// Its standard error.
    pub stderr: Option<E>,
    /// Waits for its end.
    pub ended: W,
}

/// Reads a child's output until its end. `limit` is the most that is kept of each stream; with `forward_stdout` the host
/// gets the lines of its standard output.
pub(super) async fn follow<I, O, E, W>(
    streams: Streams<I, O, E, W>,
    (limit, forward_stdout): (usize, bool),
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Finished, Failure>
where
    I: Future<Output = ()>,
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
    W: Future<Output = io::Result<ExitStatus>>,
{
    let (input, ended) = (streams.input, streams.ended);
    tokio::pin!(input, ended);
    let mut writing = true;
    let stdout = forward_stdout.then_some(Stream::Out);
    let mut stdout = OutputReader::new(streams.stdout, stdout, limit);
    let mut stderr = OutputReader::new(streams.stderr, Some(Stream::Err), limit);
    let mut status = None;
    // Both count once the child has ended.
    let (mut silence_ends, mut reading_ends) = (Instant::now(), Instant::now());
    let status = loop {
        if let Some(status) = status
            && !stdout.is_open()
            && !stderr.is_open()
        {
            break status;
        }
        tokio::select! {
            () = &mut input, if writing => writing = false,
            time = stdout.read(call, host), if stdout.is_open() => silence_ends = time + MAX_SILENCE,
            time = stderr.read(call, host), if stderr.is_open() => silence_ends = time + MAX_SILENCE,
            ended = &mut ended, if status.is_none() => {
                status = Some(ended.map_err(|error| wait_failure(call, &error))?);
                silence_ends = Instant::now() + MAX_SILENCE;
                reading_ends = Instant::now() + MAX_TIME_AFTER_EXIT;
            }
            () = tokio::time::sleep_until(silence_ends.min(reading_ends)), if status.is_some() => {
                if let Some(status) = status {
                    break status;
                }
            }
        }
    };
    Ok(Finished {
        status,
        stdout: stdout.finish(call, host),
        stderr: stderr.finish(call, host),
    })
}

fn wait_failure(call: &Call<'_>, error: &io::Error) -> Failure {
    Failure::new(
        call.kind.name(),
        format!("cannot wait for the child process: {error}"),
    )
}

fn command(job: &Job, call: &Call<'_>, host: &dyn Host) -> Result<Command, Failure> {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    if let Some(folder) = folder(call, host) {
        // Checked first: the error of a missing folder cannot be told from that of a missing program.
        if !folder.is_dir() {
            return Err(Failure::new(
                "config",
                format!("the folder `{}` does not exist", folder.display()),
            ));
        }
        command.current_dir(folder);
    }
    for name in &host.tool_environment().hidden_environment {
        command.env_remove(name);
    }
    command.envs(environment(call)?);
    command
        .stdin(if job.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    Ok(command)
}

pub(super) fn folder(call: &Call<'_>, host: &dyn Host) -> Option<PathBuf> {
    match call.text("cwd") {
        Some(path) => Some(host.tool_environment().resolve(&path)),
        None => host.tool_environment().folder.clone(),
    }
}

pub(super) fn environment(call: &Call<'_>) -> Result<Vec<(String, String)>, Failure> {
    let given = match call.config.get("env") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Object(given)) => given,
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `env` must be a mapping of names to values",
            ));
        }
    };
    let mut pairs = Vec::with_capacity(given.len());
    for (name, value) in given {
        let value = match value {
            Json::Null => continue,
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Failure::new(
                "config",
                format!("`{name}` in the field `env` cannot be an environment variable"),
            ));
        }
        pairs.push((name.clone(), value));
    }
    Ok(pairs)
}

pub(super) async fn write_input(stdin: Option<impl AsyncWrite + Unpin>, input: Arc<Vec<u8>>) {
    if let Some(mut stdin) = stdin {
        // Fails when the child does not read all of its input, which is no failure of the step.
        stdin.write_all(&input).await.ok();
    }
}

#[cfg(test)]
mod tests;
