//! A PostgreSQL server for one test, in a temporary folder.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::tool_is_missing;

/// A running PostgreSQL server, stopped when dropped.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    /// The first words of commands, which run them in a network namespace.
    prefix: Vec<String>,
}

/// A database of the server.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Postgres {
    /// Starts a server on loopback. Without PostgreSQL it notes that the test is skipped and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        Self::start_in(&[])
    }

    /// Like [`Self::start`], with commands that begin with `prefix`.
    pub(crate) fn start_in(prefix: &[String]) -> Option<Self> {
        let Some(programs) = programs() else {
            tool_is_missing("PostgreSQL (apt: postgresql)");
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            programs,
            port,
            prefix: prefix.to_vec(),
        };
        if is_root() {
            succeed(
                Command::new("chown")
                    .arg("postgres")
                    .arg(server.folder.path()),
            );
        }
        let data = server.folder.path().join("data").display().to_string();
        let log = server.folder.path().join("log").display().to_string();
        let options = format!(
            "-p {port} -h 127.0.0.1 -k {} -F",
            server.folder.path().display()
        );
        server.run(&[
            "initdb", "-D", &data, "-U", "noetl", "-A", "trust", "-E", "UTF8", "-N",
        ]);
        server.run(&[
            "pg_ctl", "start", "-w", "-D", &data, "-o", &options, "-l", &log,
        ]);
        Some(server)
    }

    /// Creates a database.
    pub(crate) fn database(&self, name: &str) -> Database {
        let port = self.port.to_string();
        let host = ["-h", "127.0.0.1", "-p", &port, "-U", "noetl"];
        self.run(&[&["createdb"], &host[..], &[name]].concat());
        Database {
            url: format!("postgres://noetl@127.0.0.1:{port}/{name}"),
        }
    }

    /// Moves a database, which has no connections, into an empty folder.
    #[cfg(target_os = "linux")]
    pub(crate) fn move_to(&self, name: &str, folder: &Path) {
        succeed(Command::new("chown").arg("postgres").arg(folder));
        let folder = folder.display();
        self.sql(&format!("CREATE TABLESPACE small LOCATION '{folder}'"));
        self.sql(&format!("ALTER DATABASE {name} SET TABLESPACE small"));
    }

    /// Restarts the server; its connections break.
    #[cfg(target_os = "linux")]
    pub(crate) fn restart(&self) {
        let data = self.folder.path().join("data").display().to_string();
        let log = self.folder.path().join("log").display().to_string();
        let options = format!(
            "-p {} -h 127.0.0.1 -k {} -F",
            self.port,
            self.folder.path().display()
        );
        let mode = ["-m", "immediate", "-D", &data, "-o", &options, "-l", &log];
        self.run(&[&["pg_ctl", "restart", "-w"], &mode[..]].concat());
    }

    /// Runs a statement in the database `postgres`.
    #[cfg(target_os = "linux")]
    pub(crate) fn sql(&self, statement: &str) {
        let port = self.port.to_string();
        let host = ["-h", "127.0.0.1", "-p", &port, "-U", "noetl"];
        let words = ["-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statement];
        self.run(&[&["psql"], &host[..], &words[..]].concat());
    }

    fn run(&self, words: &[&str]) {
        let program = self.programs.join(words[0]).display().to_string();
        let mut all = self.prefix.clone();
        if is_root() {
            // PostgreSQL refuses to run as root.
            all.extend(["runuser", "-u", "postgres", "--"].map(str::to_owned));
        }
        all.push(program);
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]);
        succeed(command.args(&words[1..]).current_dir(self.folder.path()));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("data").display().to_string();
        self.run(&["pg_ctl", "stop", "-w", "-m", "immediate", "-D", &data]);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn succeed(command: &mut Command) {
    let output = command.stdout(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

/// Returns the newest of Debian's folders with the programs of PostgreSQL, or the folder of `initdb` on PATH.
fn programs() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    debian.sort();
    debian.pop().or_else(|| {
        ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .into_iter()
            .map(PathBuf::from)
            .find(|folder: &PathBuf| Path::is_file(&folder.join("initdb")))
    })
}
