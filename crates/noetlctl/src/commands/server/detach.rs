//! `noetl server start --detach`: the same server as a background process.

use std::fs::{self, File};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use super::ask_version;
use super::pid_file::{self, Recorded};
use crate::cli::StartArgs;
use crate::config::Listen;
use crate::error::WithHelp as _;

/// How long the new server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the new server is asked whether it answers.
const INTERVAL: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &StartArgs) -> anyhow::Result<ExitCode> {
    match pid_file::read()? {
        Recorded::Nothing => {}
        Recorded::Running { pid, url } => {
            return Err(anyhow!("a server runs already at {url} (pid {pid})"))
                .help("noetl server stop");
        }
        Recorded::Stale { path, content } => {
            return Err(anyhow!(
                "stale pid file {}: no server of ours runs as process `{content}`",
                path.display()
            ))
            .help("`noetl server stop` removes it");
        }
    }
    let mut child = spawn(args)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().context("cannot watch the server")? {
            bail!("the server ended at once ({status}):\n{}", log_tail()?);
        }
        // The pid file is written by the child once it listens, with the address it really got.
        if let Recorded::Running { pid, url } = pid_file::read()?
            && pid == child.id()
            && ask_version(&url).is_some()
        {
            println!(
                "noetl server running at {url} (pid {pid}), log {}",
                pid_file::log_path()?.display()
            );
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(INTERVAL);
    }
    child.kill().context("cannot end the server")?;
    child.wait().context("cannot wait for the server's end")?;
    pid_file::remove()?;
    let Listen { host, port } = Listen::new(&args.listen);
    Err(anyhow!(
        "the server did not answer at {host}:{port} within {} s; it is stopped",
        PATIENCE.as_secs()
    ))
    .help("give an address that this machine can reach itself at, such as --host 127.0.0.1")
}

fn spawn(args: &StartArgs) -> anyhow::Result<Child> {
    let path = pid_file::log_path()?;
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let Listen { host, port } = Listen::new(&args.listen);
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.args([
        "server",
        "start",
        "--detached",
        "--host",
        &host,
        "--port",
        &port.to_string(),
    ]);
    if args.no_ui {
        command.arg("--no-ui");
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log);
    in_background(&mut command);
    command.spawn().context("cannot start the server")
}

/// Cuts the new process off from this terminal's Ctrl-C.
#[cfg(unix)]
fn in_background(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Cuts the new process off from this console's Ctrl-C (`DETACHED_PROCESS`, `CREATE_NEW_PROCESS_GROUP`).
#[cfg(windows)]
fn in_background(command: &mut Command) {
    std::os::windows::process::CommandExt::creation_flags(command, 0x0000_0008 | 0x0000_0200);
}

fn log_tail() -> anyhow::Result<String> {
    let path = pid_file::log_path()?;
    let log =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<&str> = log.lines().collect();
    Ok(lines[lines.len().saturating_sub(10)..].join("\n"))
}
