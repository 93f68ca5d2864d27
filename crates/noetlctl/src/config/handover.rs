//! Takes NoETL's own secrets out of the environment of a process that starts other programs: the environment that a
//! process was started with stays readable in `/proc`, whatever the process removes from it later.
//!
//! The process hands its secrets over a pipe to itself and runs its program again, under the same id and without them.

use std::collections::HashMap;
use std::sync::OnceLock;

#[cfg(unix)]
use anyhow::Context as _;

#[cfg(unix)]
use super::SECRETS;

/// The variable with the number of the pipe.
pub(crate) const DESCRIPTOR: &str = "NOETL_SECRETS_FD";
/// More does not fit into a pipe that nobody reads.
#[cfg(unix)]
const MOST_BYTES: usize = 32 << 10;

static SECRETS_HANDED_OVER: OnceLock<HashMap<String, String>> = OnceLock::new();

/// Returns a secret that was handed over.
pub(super) fn secret(name: &str) -> Option<String> {
    SECRETS_HANDED_OVER.get()?.get(name).cloned()
}

/// Takes the secrets out of this process's environment, and makes its memory unreadable for programs of the same user.
/// To be called first in a command that starts other programs.
///
/// # Errors
/// Fails when the program cannot be run again, or when what was handed over cannot be read.
#[cfg(unix)]
pub(crate) fn hide_secrets() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            note!("warning: other programs of this user can read this process's memory: {error}");
        }
    }
    if let Some(descriptor) = variable(DESCRIPTOR) {
        let text = std::fs::read_to_string(format!("/dev/fd/{descriptor}"))
            .context("cannot read the secrets that were handed over")?;
        let secrets = text.split_terminator('\0').filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        SECRETS_HANDED_OVER.get_or_init(|| secrets.collect());
        return Ok(());
    }
    let mut text = String::new();
    for name in SECRETS {
        if let Some(value) = variable(name) {
            text += &format!("{name}={value}\0");
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    anyhow::ensure!(
        text.len() <= MOST_BYTES,
        "the secrets in the environment have more than {MOST_BYTES} bytes"
    );
    run_again(&text)
}

/// On Windows, no other program can read a process's environment without being told to debug it.
#[cfg(not(unix))]
pub(crate) fn hide_secrets() -> anyhow::Result<()> {
    Ok(())
}

/// Runs this program again in this process. Returns only when that fails.
#[cfg(unix)]
fn run_again(secrets: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::process::CommandExt as _;
    let (reader, mut writer) = std::io::pipe().context("cannot make a pipe")?;
    writer
        .write_all(secrets.as_bytes())
        .context("cannot hand over the secrets")?;
    drop(writer);
    // The program that is run gets the pipe.
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty())
        .context("cannot hand over the pipe")?;
    let program = std::env::current_exe().context("cannot find the file of this program")?;
    let mut args = std::env::args_os();
    let mut command = std::process::Command::new(program);
    command
        .arg0(args.next().unwrap_or_default())
        .args(args)
        .env(DESCRIPTOR, reader.as_raw_fd().to_string());
    for name in SECRETS {
        command.env_remove(name);
    }
    Err(command.exec()).context("cannot run this program again")
}

#[cfg(unix)]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read before anything else is"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
