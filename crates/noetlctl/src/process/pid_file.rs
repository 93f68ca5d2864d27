//! `~/.noetl/noetl_server.pid` and `noetl_worker_NAME.pid`: which noetl processes run, and at which address.
//!
//! The pid file contains the process id alone, as scripts expect; `….url` beside it contains the address. A
//! running process holds a lock on a third file. When the lock is free, the process id may belong to another
//! program, and the pid file is stale.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;

use crate::config;

/// The name of the server's files, without an extension.
pub(crate) const SERVER: &str = "noetl_server";

/// Returns the name of a worker's files, without an extension.
pub(crate) fn worker(name: &str) -> String {
    let safe = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    format!(
        "noetl_worker_{}",
        name.chars().map(safe).collect::<String>()
    )
}

/// Returns the file names of all workers that have a pid file.
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

/// The pid file of this process. Dropping it removes the files.
#[derive(Debug)]
pub(crate) struct PidFile {
    name: String,
    _lock: File,
}

/// What a pid file tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// There is no pid file.
    Nothing,
    /// The process runs.
    Running { pid: u32, url: String },
    /// The process does not run any more.
    Stale { path: PathBuf, content: String },
}

impl PidFile {
    /// Takes the lock and writes both files for this process.
    ///
    /// # Errors
    /// Fails when another process holds the lock, or when a file cannot be written.
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

/// Reads a pid file and checks whether its process runs. A process that ends removes its files, at any moment.
pub(crate) fn read(name: &str) -> anyhow::Result<Recorded> {
    read_in(&config::home()?, name)
}

fn read_in(folder: &Path, name: &str) -> anyhow::Result<Recorded> {
    let path = folder.join(format!("{name}.pid"));
    let Some(content) = read_if_there(&path)? else {
        return Ok(Recorded::Nothing);
    };
    let running = match open_lock(folder, name)?.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => {
            return Err(error).context(format!("cannot lock the pid file of {name}"));
        }
    };
    match content.parse() {
        Ok(pid) if running => {
            let address = folder.join(format!("{name}.url"));
            match read_if_there(&address)? {
                Some(url) => Ok(Recorded::Running { pid, url }),
                // A process that ends removes the pid file first.
                None if !path.exists() => Ok(Recorded::Nothing),
                None => Err(anyhow!(
                    "process {pid} runs, and the file with its address, {}, is missing",
                    address.display()
                ))
                .help(format!(
                    "`kill {pid}` ends the process; then start it again"
                )),
            }
        }
        _ => Ok(Recorded::Stale { path, content }),
    }
}

/// Returns the text of a file, `None` when there is no file.
fn read_if_there(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Removes the pid file and the address. The lock file is kept: removing it would race with a new process.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_gone_are_no_process_or_an_error() {
        let guard = tempfile::tempdir().unwrap();
        let folder = guard.path();
        assert_eq!(read_in(folder, SERVER).unwrap(), Recorded::Nothing);
        let lock = open_lock(folder, SERVER).unwrap();
        lock.try_lock().unwrap();
        let (pid, url) = (
            folder.join("noetl_server.pid"),
            folder.join("noetl_server.url"),
        );
        write(&url, "http://127.0.0.1:8082").unwrap();
        write(&pid, "7").unwrap();
        let running = Recorded::Running {
            pid: 7,
            url: "http://127.0.0.1:8082".to_owned(),
        };
        assert_eq!(read_in(folder, SERVER).unwrap(), running);
        fs::remove_file(&url).unwrap();
        let error = read_in(folder, SERVER).unwrap_err().to_string();
        assert!(error.contains("noetl_server.url, is missing"), "{error}");
        fs::remove_file(&pid).unwrap();
        assert_eq!(read_in(folder, SERVER).unwrap(), Recorded::Nothing);
        write(&pid, "7").unwrap();
        drop(lock);
        let stale = Recorded::Stale {
            path: pid,
            content: "7".to_owned(),
        };
        assert_eq!(read_in(folder, SERVER).unwrap(), stale);
    }
}
