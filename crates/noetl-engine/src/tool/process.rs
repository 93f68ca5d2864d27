//! Child processes of the tools: started, listened to, and ended with all their descendants.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::time::Instant;

use super::{Call, Failure, Host, Stream};

/// The most that is kept of each output stream.
pub(super) const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// How long pipes may stay silent after the child's end before they count as held by a background process.
const SILENCE: Duration = Duration::from_millis(200);

/// The most that a background process may still write after the child's end.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A longer line is passed on in pieces, so that output without line breaks is seen as well.
const LINE_LIMIT: usize = 64 * 1024;

/// What to run.
#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    /// The program, looked for on the PATH when it has no folder.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it reads from its standard input.
    pub input: Vec<u8>,
    /// The most that is kept of each output stream.
    pub limit: usize,
    /// Whether the host hears the lines of its standard output.
    pub audible: bool,
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
    /// The exit code; 128 and the signal's number for a killed one, as shells have it.
    pub(super) fn code(&self) -> i64 {
        self.status
            .code()
            .map_or_else(|| 128 + i64::from(self.signal().unwrap_or(0)), i64::from)
    }

    /// How it ended, as a clause: `exited with code 3`.
    pub(super) fn how(&self) -> String {
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

    /// The failure of a child that ended badly: how, and the last thing that it said.
    pub(super) fn failure(&self) -> Failure {
        let last = [&self.stderr, &self.stdout].into_iter().find_map(|text| {
            text.lines()
                .map(str::trim)
                .rev()
                .find(|line| !line.is_empty())
        });
        let how = self.how();
        Failure {
            code: Some(Json::from(self.code())),
            ..Failure::new(
                "exit",
                last.map_or_else(|| how.clone(), |line| format!("{how}: {line}")),
            )
        }
    }
}

/// The numbers are the same on every system for these.
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

/// Ends the child's process group when the step is dropped.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        #[cfg(not(unix))]
        let _: &tokio::process::Child = child;
        Self {
            #[cfg(unix)]
            leader: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
        }
    }

    /// Once its leader has ended, what is left was meant to stay, and its number may be given anew.
    fn release(&mut self) {
        #[cfg(unix)]
        {
            self.leader = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // An error means that nothing is left to end.
            rustix::process::kill_process_group(leader, rustix::process::Signal::KILL).ok();
        }
    }
}

/// Runs `job` to its end; none when there is no such program.
///
/// Dropping the future kills the child and its descendants.
pub(super) async fn run(
    job: Job,
    call: &Call<'_>,
    host: &dyn Host,
) -> Result<Option<Finished>, Failure> {
    let mut child = match command(&job, call, host)?.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(
                call.kind.name(),
                format!("cannot start `{}`: {error}", job.program.to_string_lossy()),
            ));
        }
    };
    let mut group = Group::of(&child);
    let feed = feed(child.stdin.take(), job.input);
    tokio::pin!(feed);
    let mut feeding = true;
    let out_listener = job.audible.then_some(Stream::Out);
    let mut out = Ear::new(child.stdout.take(), out_listener, job.limit);
    let mut err = Ear::new(child.stderr.take(), Some(Stream::Err), job.limit);
    let mut status = None;
    let (mut patience, mut end) = (Instant::now(), Instant::now());
    while status.is_none() || out.open() || err.open() {
        tokio::select! {
            () = &mut feed, if feeding => feeding = false,
            heard = out.hear(call, host), if out.open() => patience = heard + SILENCE,
            heard = err.hear(call, host), if err.open() => patience = heard + SILENCE,
            ended = child.wait(), if status.is_none() => {
                status = Some(ended.map_err(|error| lost(call, &error))?);
                group.release();
                (patience, end) = (Instant::now() + SILENCE, Instant::now() + AFTERMATH);
            }
            () = tokio::time::sleep_until(patience.min(end)), if status.is_some() => break,
        }
    }
    let (stdout, stderr) = (out.finish(call, host), err.finish(call, host));
    Ok(status.map(|status| Finished {
        status,
        stdout,
        stderr,
    }))
}

fn lost(call: &Call<'_>, error: &io::Error) -> Failure {
    Failure::new(
        call.kind.name(),
        format!("the child process was lost: {error}"),
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
    for name in &host.machine().hidden_environment {
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

fn folder(call: &Call<'_>, host: &dyn Host) -> Option<PathBuf> {
    match call.text("cwd") {
        Some(path) => Some(host.machine().resolve(&path)),
        None => host.machine().folder.clone(),
    }
}

fn environment(call: &Call<'_>) -> Result<Vec<(String, String)>, Failure> {
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

async fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        // A child that does not read all of its input has no use for the rest.
        stdin.write_all(&input).await.ok();
    }
}

/// One output stream of a child.
struct Ear<R> {
    pipe: Option<R>,
    stream: Option<Stream>,
    kept: Vec<u8>,
    limit: usize,
    dropped: usize,
    line: Vec<u8>,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Ear<R> {
    fn new(pipe: Option<R>, stream: Option<Stream>, limit: usize) -> Self {
        Self {
            pipe,
            stream,
            kept: Vec::new(),
            limit,
            dropped: 0,
            line: Vec::new(),
            chunk: vec![0; 16 * 1024],
        }
    }

    fn open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Takes in what has been written and gives the time; cancelling loses nothing.
    async fn hear(&mut self, call: &Call<'_>, host: &dyn Host) -> Instant {
        let Some(pipe) = &mut self.pipe else {
            return Instant::now();
        };
        match pipe.read(&mut self.chunk).await {
            Ok(count) if count > 0 => self.take(count, call, host),
            // A pipe that cannot be read says no more.
            _ => self.pipe = None,
        }
        Instant::now()
    }

    fn take(&mut self, count: usize, call: &Call<'_>, host: &dyn Host) {
        let kept = count.min(self.limit.saturating_sub(self.kept.len()));
        self.kept.extend_from_slice(&self.chunk[..kept]);
        self.dropped += count - kept;
        let Some(stream) = self.stream else {
            return;
        };
        for piece in self.chunk[..count].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_LIMIT {
                say(&mut self.line, stream, call, host);
            }
        }
    }

    fn finish(mut self, call: &Call<'_>, host: &dyn Host) -> String {
        if let Some(stream) = self.stream
            && !self.line.is_empty()
        {
            say(&mut self.line, stream, call, host);
        }
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n… {} bytes more\n", self.dropped));
        }
        text
    }
}

fn say(line: &mut Vec<u8>, stream: Stream, call: &Call<'_>, host: &dyn Host) {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    host.line(call.place, stream, text.strip_suffix('\r').unwrap_or(text));
    line.clear();
}

#[cfg(test)]
mod tests;
