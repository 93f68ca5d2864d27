//! `noetl server start --detach`: the same server as a background process.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;

use super::log_file;
use crate::cli::server::StartArgs;
use crate::client::probe;
use crate::config::{self, server::Listen};
use crate::output;
use crate::process::pid_file::{self, Recorded};

/// How long the new server may take until it answers.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often the new server is asked whether it answers.
const INTERVAL: Duration = Duration::from_millis(50);

pub(super) fn run(args: &StartArgs) -> anyhow::Result<ExitCode> {
    match pid_file::read(pid_file::SERVER)? {
        Recorded::Nothing => {}
        Recorded::Running { pid, url } => {
            return Err(anyhow!("a server is already running at {url} (pid {pid})")
                .help("noetl server stop"));
        }
        Recorded::Stale { path, content } => {
            return Err(anyhow!(
                "stale pid file {}: process `{content}` is not a server of noetl",
                path.display()
            )
            .help("`noetl server stop` removes it"));
        }
    }
    let log = log_file::open()?;
    let before = log
        .metadata()
        .context("cannot read the size of the log")?
        .len();
    let mut child = spawn(args, log)?;
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().context("cannot check the new server")? {
            bail!(
                "the server failed to start ({status}):\n{}",
                log_tail(before)?
            );
        }
        // The child writes the pid file when it listens, with the address that it was given.
        if let Recorded::Running { pid, url } = pid_file::read(pid_file::SERVER)?
            && pid == child.id()
            && probe::server(&url).is_some()
        {
            let log = log_file::path()?;
            output::text(&format!(
                "noetl server running at {url} (pid {pid}), log {}",
                log.display()
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(INTERVAL);
    }
    child.kill().context("cannot stop the server")?;
    child.wait().context("cannot wait for the server to stop")?;
    pid_file::remove(pid_file::SERVER)?;
    let Listen { host, port } = Listen::new(&args.listen);
    Err(anyhow!(
        "the server did not answer at {host}:{port} within {} s and was stopped",
        TIMEOUT.as_secs()
    )
    .help("use an address at which this machine can reach itself, such as --host 127.0.0.1"))
}

fn spawn(args: &StartArgs, log: File) -> anyhow::Result<Child> {
    let Listen { host, port } = Listen::new(&args.listen);
    let program = std::env::current_exe().context("cannot find the file of this program")?;
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
    if let Some(folder) = &args.data_dir {
        command.arg("--data-dir").arg(folder);
    }
    if let Some(file) = config::named_file() {
        command.arg("--env-file").arg(file);
    }
    if let Some(number) = args.max_workers {
        command.args(["--max-workers", &number.to_string()]);
    }
    if let Some(number) = args.log_limit {
        command.args(["--log-limit", &number.to_string()]);
    }
    if let Some(days) = args.retention_days {
        command.args(["--retention-days", &days.to_string()]);
    }
    if let Some(url) = &args.public_url {
        command.args(["--public-url", url]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        // The output goes into a file.
        .env("NO_COLOR", "1");
    in_background(&mut command);
    command.spawn().context("cannot start the server")
}

/// Keeps this terminal's Ctrl-C from the new process.
#[cfg(unix)]
fn in_background(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Keeps this console's Ctrl-C and the streams of this process from the new process. Windows passes on every
/// handle that can be inherited, and a program that reads our output would wait until the server ends.
#[cfg(windows)]
fn in_background(command: &mut Command) {
    use std::os::windows::io::AsRawHandle as _;
    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
    use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};

    let flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    std::os::windows::process::CommandExt::creation_flags(command, flags);
    for handle in [
        std::io::stdin().as_raw_handle(),
        std::io::stdout().as_raw_handle(),
        std::io::stderr().as_raw_handle(),
    ] {
        // SAFETY: the handle is open as long as this process runs. The call refuses an invalid handle, which
        // cannot be inherited anyway.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// Returns the last lines of the log, without those that earlier servers wrote.
fn log_tail(before: u64) -> anyhow::Result<String> {
    let path = log_file::path()?;
    let mut text = String::new();
    File::open(&path)
        .and_then(|mut log| {
            log.seek(SeekFrom::Start(before))?;
            log.read_to_string(&mut text)
        })
        .with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(10)..].join("\n"))
}
