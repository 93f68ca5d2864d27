//! Interpreters that stay, so that a python step does not wait for the start of one.
//!
//! An interpreter of the pool starts a copy of itself for each step (`fork`): the step has modules, environment, folder and
//! process group of its own, as in a new process. There is one for each program, folder and environment. Windows cannot
//! copy a process, and has no pool.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::RUNNER;

/// The interpreters of a host, which its copies share. They end with the last copy.
#[derive(Clone, Default)]
pub struct PythonPool {
    interpreters: Arc<Mutex<HashMap<Key, Interpreter>>>,
}

impl fmt::Debug for PythonPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PythonPool")
    }
}

/// What an interpreter is started with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The program.
    pub(crate) program: OsString,
    /// The folder that it runs in.
    pub(crate) folder: Option<PathBuf>,
    /// Environment variables that it must not have.
    pub(crate) hidden: Vec<String>,
}

/// An interpreter that stays.
struct Interpreter {
    control: UnixStream,
    process: Child,
}

impl Interpreter {
    fn start(key: &Key) -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&key.program);
        command.args(["-u", "-c", RUNNER, "--pool"]);
        if let Some(folder) = &key.folder {
            command.current_dir(folder);
        }
        for name in &key.hidden {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C on a terminal is for noetl, which ends it by closing the socket.
            .process_group(0);
        let process = command.spawn()?;
        Ok(Self { control, process })
    }

    /// Has a step started with these streams.
    fn send(&self, streams: &[OwnedFd; 4]) -> io::Result<()> {
        let streams = streams.each_ref().map(|stream| stream.as_fd());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&streams));
        let data = [IoSlice::new(b"s")];
        sendmsg(&self.control, &data, &mut message, SendFlags::empty())?;
        Ok(())
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The ends of a step's streams that noetl keeps.
pub(crate) struct StepStreams {
    pub(crate) input: Sender,
    pub(crate) stdout: Receiver,
    pub(crate) stderr: Receiver,
    /// See [`read_status`]. The step is killed when this is dropped before its end.
    pub(crate) status: Receiver,
}

impl PythonPool {
    /// Starts a step in a copy of the interpreter for `key`, which is started as well when there is none.
    pub(crate) fn start_step(&self, key: &Key) -> io::Result<StepStreams> {
        let (their_input, input) = io::pipe()?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let (status, their_status) = io::pipe()?;
        let theirs = [
            their_input.into(),
            their_stdout.into(),
            their_stderr.into(),
            their_status.into(),
        ];
        let kept = StepStreams {
            input: Sender::from_owned_fd(input.into())?,
            stdout: Receiver::from_owned_fd(stdout.into())?,
            stderr: Receiver::from_owned_fd(stderr.into())?,
            status: Receiver::from_owned_fd(status.into())?,
        };
        let mut interpreters = self
            .interpreters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = interpreters.get(key)
            && known.send(&theirs).is_ok()
        {
            return Ok(kept);
        }
        let started = Interpreter::start(key)?;
        started.send(&theirs)?;
        interpreters.insert(key.clone(), started);
        Ok(kept)
    }

    /// Drops the interpreter for `key`, so that the next step starts another.
    pub(crate) fn forget(&self, key: &Key) {
        let interpreters = self.interpreters.lock();
        interpreters
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// Returns the status that the interpreter wrote after `started`, as `waitpid` gives it.
pub(crate) fn read_status(text: &[u8]) -> io::Result<ExitStatus> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let raw = text
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .ok_or_else(|| io::Error::other("the interpreter that watches the step has ended"))?;
    Ok(ExitStatus::from_raw(raw))
}
