//! `~/.noetl/noetl_server.pid`: which background server runs, and where it answers.
//!
//! The file holds the process id alone, as scripts expect; `noetl_server.url` beside it holds the
//! address. A live server keeps a lock on a third file, so that a process id which the system gave
//! to somebody else is never taken for ours.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::config;

/// The pid file of a running server; dropping it removes the files.
#[derive(Debug)]
pub(super) struct PidFile {
    _lock: File,
}

/// What the pid file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// No pid file.
    Nothing,
    /// A server runs: its process id and URL.
    Running { pid: u32, url: String },
    /// A pid file of a server that is gone.
    Stale { path: PathBuf, content: String },
}

impl PidFile {
    /// Takes the lock and writes both files for this process.
    pub(super) fn create(url: &str) -> anyhow::Result<Self> {
        let folder = config::home()?;
        let lock = open_lock(&folder)?;
        if lock.try_lock().is_err() {
            bail!(
                "another background server holds {}",
                folder.join(PID).display()
            );
        }
        write(&folder.join(URL), url)?;
        write(&folder.join(PID), &std::process::id().to_string())?;
        Ok(Self { _lock: lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = remove() {
            eprintln!("warning: {error:#}");
        }
    }
}

/// Reads the pid file and finds out whether its server lives.
pub(super) fn read() -> anyhow::Result<Recorded> {
    let folder = config::home()?;
    let path = folder.join(PID);
    if !path.exists() {
        return Ok(Recorded::Nothing);
    }
    let content = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .trim()
        .to_owned();
    let alive = match open_lock(&folder)?.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => {
            return Err(error).context(format!("cannot lock {}", folder.join(LOCK).display()));
        }
    };
    match content.parse() {
        Ok(pid) if alive => {
            let url =
                fs::read_to_string(folder.join(URL)).context("cannot read the server's address")?;
            Ok(Recorded::Running {
                pid,
                url: url.trim().to_owned(),
            })
        }
        _ => Ok(Recorded::Stale { path, content }),
    }
}

/// Removes the pid file and the address; the lock file stays, since removing it would race.
pub(super) fn remove() -> anyhow::Result<()> {
    let folder = config::home()?;
    for name in [PID, URL] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .context(format!("cannot remove {}", folder.join(name).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where a background server writes its log.
pub(super) fn log_path() -> anyhow::Result<PathBuf> {
    let folder = config::home()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join("noetl_server.log"))
}

const PID: &str = "noetl_server.pid";
const URL: &str = "noetl_server.url";
const LOCK: &str = "noetl_server.lock";

fn open_lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
