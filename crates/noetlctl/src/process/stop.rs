//! Stops a server or a worker of this machine, which its pid file names.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use super::pid_file::{self, Recorded};
use crate::output;

/// How long a process may take to stop.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the pid file is checked meanwhile.
const INTERVAL: Duration = Duration::from_millis(20);

/// Stops the process of the pid file `name` and prints that it did.
///
/// `noun` is what messages call the process, and `start` is the help when there is none. With `force`, a
/// process that does not stop is killed.
///
/// # Errors
/// Fails when no such process runs, and when it does not stop.
pub(crate) fn stop(name: &str, noun: &str, start: &str, force: bool) -> anyhow::Result<ExitCode> {
    let (pid, url) = match pid_file::read(name)? {
        Recorded::Running { pid, url } => (pid, url),
        Recorded::Nothing => return Err(anyhow!("no {noun} is running").help(start)),
        Recorded::Stale { path, content } => {
            pid_file::remove(name)?;
            return Err(anyhow!(
                "stale pid file {}: process `{content}` is not a {noun} of noetl",
                path.display()
            )
            .help(format!("the file is removed; {start}")));
        }
    };
    send(pid, Signal::Terminate).with_context(|| format!("cannot stop process {pid}"))?;
    if !wait_until_stopped(name, pid)? {
        if !force {
            return Err(anyhow!("the {noun} (pid {pid}) does not stop")
                .help("repeat the command with --force"));
        }
        send(pid, Signal::Kill).with_context(|| format!("cannot kill process {pid}"))?;
        wait_until_stopped(name, pid)?;
        pid_file::remove(name)?;
    }
    output::text(&format!("noetl {noun} at {url} (pid {pid}) stopped"))?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the process has released its pid file. Returns whether it has.
fn wait_until_stopped(name: &str, pid: u32) -> anyhow::Result<bool> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        match pid_file::read(name)? {
            Recorded::Running { pid: current, .. } if current == pid => thread::sleep(INTERVAL),
            Recorded::Stale { .. } => {
                pid_file::remove(name)?;
                return Ok(true);
            }
            _ => return Ok(true),
        }
    }
    Ok(false)
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

#[cfg(unix)]
fn send(pid: u32, signal: Signal) -> anyhow::Result<()> {
    use rustix::process::{Pid, kill_process};
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .context("not a process id")?;
    let signal = match signal {
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    Ok(kill_process(pid, signal)?)
}

/// Windows has no SIGTERM for a process without a console, so that both signals kill.
#[cfg(windows)]
fn send(pid: u32, _signal: Signal) -> anyhow::Result<()> {
    let status = std::process::Command::new("taskkill")
        .args(["/PID", &pid.to_string(), "/F"])
        .status()?;
    anyhow::ensure!(status.success(), "taskkill: {status}");
    Ok(())
}
