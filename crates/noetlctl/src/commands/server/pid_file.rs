//! `~/.noetl/noetl_server.pid` and `noetl_worker_NAME.pid`: which processes of ours run, and for which
//! address.
//!
//! The file holds the process id alone, as scripts expect; `….url` beside it holds the address. A live
//! process keeps a lock on a third file, so that a process id which the system gave to somebody else is
//! never taken for ours.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::config;

/// The name of the server's files.
pub(crate) const SERVER: &str = "noetl_server";

/// The name of a worker's files.
pub(crate) fn worker(name: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    format!(
        "noetl_worker_{}",
        name.chars().map(plain).collect::<String>()
    )
}

/// The names of the files of every worker that has some.
pub(crate) fn workers() -> anyhow::Result<Vec<String>> {
    let folder = config::home()?;
    let Ok(entries) = fs::read_dir(&folder) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".pid").map(str::to_owned))
        .filter(|name| name.starts_with("noetl_worker_"))
        .collect();
    names.sort();
    Ok(names)
}

/// The pid file of a running process; dropping it removes the files.
#[derive(Debug)]
pub(crate) struct PidFile {
    name: String,
    _lock: File,
}

/// What the pid file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// No pid file.
    Nothing,
    /// A server runs: its process id and URL.
    Running { pid: u32, url: String },
    /// A pid file of a server that is gone.
    Stale { path: PathBuf, content: String },
}

impl PidFile {
    /// Takes the lock and writes both files for this process.
    pub(crate) fn create(name: &str, url: &str) -> anyhow::Result<Self> {
        let folder = config::home()?;
        let lock = open_lock(&folder, name)?;
        if lock.try_lock().is_err() {
            bail!(
                "another process holds {}",
                folder.join(format!("{name}.pid")).display()
            );
        }
        write(&folder.join(format!("{name}.url")), url)?;
        write(
            &folder.join(format!("{name}.pid")),
            &std::process::id().to_string(),
        )?;
        Ok(Self {
            name: name.to_owned(),
            _lock: lock,
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            note!("warning: {error:#}");
        }
    }
}

/// Reads the pid file and finds out whether its server lives.
pub(crate) fn read(name: &str) -> anyhow::Result<Recorded> {
    let folder = config::home()?;
    let path = folder.join(format!("{name}.pid"));
    if !path.exists() {
        return Ok(Recorded::Nothing);
    }
    let content = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .trim()
        .to_owned();
    let alive = match open_lock(&folder, name)?.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => {
            return Err(error).context(format!("cannot lock the pid file of {name}"));
        }
    };
    match content.parse() {
        Ok(pid) if alive => {
            let url = fs::read_to_string(folder.join(format!("{name}.url")))
                .context("cannot read the server's address")?;
            Ok(Recorded::Running {
                pid,
                url: url.trim().to_owned(),
            })
        }
        _ => Ok(Recorded::Stale { path, content }),
    }
}

/// Removes the pid file and the address; the lock file stays, since removing it would race.
pub(crate) fn remove(name: &str) -> anyhow::Result<()> {
    let folder = config::home()?;
    for name in [format!("{name}.pid"), format!("{name}.url")] {
        match fs::remove_file(folder.join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .context(format!("cannot remove {}", folder.join(name).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn open_lock(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(format!("{name}.lock"));
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
