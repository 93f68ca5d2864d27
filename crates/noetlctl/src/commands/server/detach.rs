//! `noetl server start --detach`: the same server as a background process.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use super::ask_version;
use super::log_file;
use super::pid_file::{self, Recorded};
use crate::cli::StartArgs;
use crate::config::Listen;
use crate::error::WithHelp as _;
use crate::output;

/// How long the new server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the new server is asked whether it answers.
const INTERVAL: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &StartArgs) -> anyhow::Result<ExitCode> {
    match pid_file::read(pid_file::SERVER)? {
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
    let log = log_file::open()?;
    let before = log.metadata().context("cannot look at the log")?.len();
    let mut child = spawn(args, log)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().context("cannot watch the server")? {
            bail!(
                "the server ended at once ({status}):\n{}",
                log_tail(before)?
            );
        }
        // The pid file is written by the child once it listens, with the address it really got.
        if let Recorded::Running { pid, url } = pid_file::read(pid_file::SERVER)?
            && pid == child.id()
            && ask_version(&url).is_some()
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
    child.kill().context("cannot end the server")?;
    child.wait().context("cannot wait for the server's end")?;
    pid_file::remove(pid_file::SERVER)?;
    let Listen { host, port } = Listen::new(&args.listen);
    Err(anyhow!(
        "the server did not answer at {host}:{port} within {} s; it is stopped",
        PATIENCE.as_secs()
    ))
    .help("give an address that this machine can reach itself at, such as --host 127.0.0.1")
}

fn spawn(args: &StartArgs, log: File) -> anyhow::Result<Child> {
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
    if let Some(folder) = &args.data_dir {
        command.arg("--data-dir").arg(folder);
    }
    if let Some(number) = args.max_workers {
        command.args(["--max-workers", &number.to_string()]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        // A log file is no terminal.
        .env("NO_COLOR", "1");
    in_background(&mut command);
    command.spawn().context("cannot start the server")
}

/// Cuts the new process off from this terminal's Ctrl-C.
#[cfg(unix)]
fn in_background(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Cuts the new process off from this console's Ctrl-C, and from this process's own streams: Windows hands on
/// every handle that may be inherited, and who reads our output would else wait until the server ends.
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
        // SAFETY: the handle is open for as long as this process is; one that is none is refused, and then
        // there is nothing to keep.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// The last lines that this server wrote after those of earlier ones.
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
