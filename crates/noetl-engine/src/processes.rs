//! The processes of a step, as far as they can be found, and their end.
//!
//! A step that is given up is ended with everything that it has started. Its process group is not all of that: a process
//! that calls `setsid` has a group of its own. On Linux, processes are found by a [`Mark`] that they inherit in their
//! environment, and by their parents. One that clears its environment, and whose parents have ended, is not found.
//!
//! A [`StepGuard`] does this for a program that is itself killed: what its steps have started must not run beside the same
//! step, started again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{BufRead, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The environment variable that carries a step's mark.
pub(crate) const VARIABLE: &str = "NOETL_STEP_MARK";

/// How often processes are looked for again: one may start another while it is looked for.
const ROUNDS: u32 = 20;

/// What the processes of a step have in their environment, and no others on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mark(String);

impl Mark {
    /// Returns a new mark.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{now}-{number}", std::process::id()))
    }

    /// Returns the value of the variable.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Ends the group of `leader`, the processes with this mark, and the descendants of both. Returns when none is left that
    /// this process may end, or after some attempts.
    pub(crate) fn end(&self, leader: Option<Pid>) {
        for round in 0..ROUNDS {
            let found = self.stop(leader);
            if let Some(leader) = leader {
                // An error means that no process is left.
                kill_process_group(leader, Signal::KILL).ok();
            }
            let ended = found
                .iter()
                .map(|process| kill_process(*process, Signal::KILL));
            // An error means that it has ended, or belongs to somebody else.
            if ended.filter(Result::is_ok).count() == 0 {
                return;
            }
            pause(round);
        }
    }

    /// Stops the processes that [`Self::processes`] finds, and returns them once there are no others. Nothing is killed
    /// before: the children of an ended process are no longer its children, and a process that is stopped starts no more.
    fn stop(&self, leader: Option<Pid>) -> HashSet<Pid> {
        let mut stopped = HashSet::new();
        let mut quiet = 0;
        for round in 0..ROUNDS {
            let found = self.processes(leader);
            let fresh: Vec<Pid> = found.into_iter().filter(|it| stopped.insert(*it)).collect();
            for process in &fresh {
                // An error means that it has ended, or belongs to somebody else.
                kill_process(*process, Signal::STOP).ok();
            }
            // Twice, since what was started just before its parent stopped may not have been listed yet.
            quiet = if fresh.is_empty() { quiet + 1 } else { 0 };
            if quiet == 2 || stopped.is_empty() {
                break;
            }
            pause(round);
        }
        stopped
    }

    /// Returns the processes with this mark, `leader`, and the descendants of both.
    fn processes(&self, leader: Option<Pid>) -> Vec<Pid> {
        let variable = format!("{VARIABLE}={}", self.0);
        let mut found = Vec::new();
        let mut children = HashMap::<Pid, Vec<Pid>>::new();
        for (process, parent) in running() {
            if Some(process) == leader || has_variable(process, variable.as_bytes()) {
                found.push(process);
            }
            children.entry(parent).or_default().push(process);
        }
        let mut next = 0;
        while let Some(process) = found.get(next) {
            let more = children.remove(process).unwrap_or_default();
            found.extend(more);
            next += 1;
        }
        found
    }
}

/// Waits between two rounds, up to 20 milliseconds.
fn pause(round: u32) {
    std::thread::sleep(Duration::from_millis(u64::from(round).min(20)));
}

/// Returns the processes that run and have not ended, each with its parent. None on systems without Linux's `/proc`.
fn running() -> Vec<(Pid, Pid)> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let process = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let process: i32 = name.to_str()?.parse().ok()?;
        // `PID (NAME) STATE PARENT …`: the name may contain anything.
        let text = std::fs::read(format!("/proc/{process}/stat")).ok()?;
        let text = String::from_utf8_lossy(&text);
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let has_ended = matches!(fields.next()?, "Z" | "X");
        let parent = Pid::from_raw(fields.next()?.parse().ok()?)?;
        (!has_ended).then_some((Pid::from_raw(process)?, parent))
    };
    folder.filter_map(process).collect()
}

fn has_variable(process: Pid, variable: &[u8]) -> bool {
    // Others' environments cannot be read.
    std::fs::read(format!("/proc/{}/environ", process.as_raw_nonzero()))
        .is_ok_and(|text| text.split(|byte| *byte == 0).any(|it| it == variable))
}

/// A process that ends what the steps of this process have started, once this process is gone, however it ended. Its copies
/// share one, which is started with the first step.
#[derive(Clone, Default)]
pub struct StepGuard {
    /// The program that calls [`guard_steps`], and its arguments; none guards nothing.
    program: Option<(PathBuf, Vec<String>)>,
    /// Its standard input, once it runs.
    input: Arc<Mutex<Option<std::process::ChildStdin>>>,
}

impl fmt::Debug for StepGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StepGuard({:?})", self.program)
    }
}

impl StepGuard {
    /// Returns a guard that is a process of `program`, which calls [`guard_steps`] when it gets these arguments.
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program: Some((program, arguments)),
            input: Arc::default(),
        }
    }

    /// Has a step guarded until [`StepGuard::ended`]. Without a guard, because none could be started, the step runs as well.
    pub(crate) fn started(&self, mark: &Mark) {
        self.tell('+', mark);
    }

    /// Has a step guarded no longer.
    pub(crate) fn ended(&self, mark: &Mark) {
        self.tell('-', mark);
    }

    fn tell(&self, what: char, mark: &Mark) {
        let Some((program, arguments)) = &self.program else {
            return;
        };
        let line = format!("{what}{}\n", mark.as_str());
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = input.as_mut()
            && running.write_all(line.as_bytes()).is_ok()
        {
            return;
        }
        if what == '+' {
            *input = start(program, arguments);
            if let Some(running) = input.as_mut() {
                running.write_all(line.as_bytes()).ok();
            }
        }
    }
}

fn start(program: &PathBuf, arguments: &[String]) -> Option<std::process::ChildStdin> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        // It holds no folder, no terminal and no stream, and belongs to no step.
        .current_dir("/")
        .env_remove(VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().ok()?.stdin
}

/// Reads from a [`StepGuard`] of another process which steps run there, until that process is gone. Then ends them.
pub fn guard_steps(input: impl BufRead) {
    let mut steps = HashSet::new();
    for line in input.lines().map_while(Result::ok) {
        let mark = Mark(line.get(1..).unwrap_or_default().to_owned());
        if line.starts_with('+') {
            steps.insert(mark);
        } else {
            steps.remove(&mark);
        }
    }
    for mark in &steps {
        mark.end(None);
    }
}

#[cfg(test)]
mod tests;
