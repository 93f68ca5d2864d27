//! `noetl server stop`: ends the background server, by force when told to.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::pid_file::{self, Recorded};
use crate::cli::StopArgs;
use crate::error::WithHelp as _;
use crate::output;

/// How long a server that was asked to stop may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &StopArgs) -> anyhow::Result<ExitCode> {
    let start = "`noetl server start --detach` starts one";
    stop(pid_file::SERVER, "background server", start, args.force)
}

/// Ends the process that a pid file names.
pub(crate) fn stop(name: &str, noun: &str, start: &str, force: bool) -> anyhow::Result<ExitCode> {
    let (pid, url) = match pid_file::read(name)? {
        Recorded::Running { pid, url } => (pid, url),
        Recorded::Nothing => return Err(anyhow!("no {noun} runs")).help(start),
        Recorded::Stale { path, content } => {
            pid_file::remove(name)?;
            return Err(anyhow!(
                "stale pid file {}: no {noun} of ours runs as process `{content}`",
                path.display()
            ))
            .help(format!("the file is removed; {start}"));
        }
    };
    end(pid, Force::No).with_context(|| format!("cannot stop process {pid}"))?;
    if !gone(name, pid)? {
        if !force {
            return Err(anyhow!("the {noun} (pid {pid}) does not stop"))
                .help("repeat the command with --force");
        }
        end(pid, Force::Yes).with_context(|| format!("cannot kill process {pid}"))?;
        gone(name, pid)?;
        pid_file::remove(name)?;
    }
    output::text(&format!("noetl {noun} at {url} (pid {pid}) stopped"))?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the process has let go of its pid file.
fn gone(name: &str, pid: u32) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match pid_file::read(name)? {
            Recorded::Running { pid: current, .. } if current == pid => {
                thread::sleep(Duration::from_millis(20))
            }
            Recorded::Stale { .. } => {
                pid_file::remove(name)?;
                return Ok(true);
            }
            _ => return Ok(true),
        }
    }
    Ok(false)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    Yes,
    No,
}

#[cfg(unix)]
fn end(pid: u32, force: Force) -> anyhow::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .context("not a process id")?;
    Ok(kill_process(
        pid,
        if force == Force::Yes {
            Signal::KILL
        } else {
            Signal::TERM
        },
    )?)
}

/// Windows has no SIGTERM for a process without a console: a polite stop and a kill are the same.
#[cfg(windows)]
fn end(pid: u32, _force: Force) -> anyhow::Result<()> {
    let status = std::process::Command::new("taskkill")
        .args(["/PID", &pid.to_string(), "/F"])
        .status()?;
    anyhow::ensure!(status.success(), "taskkill: {status}");
    Ok(())
}
