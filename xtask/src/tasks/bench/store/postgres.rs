//! A PostgreSQL server on loopback, in a folder of its own, for one bench.

use std::net::TcpListener;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};

/// Where Debian keeps a folder for each version; others have the programs on PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A running server. It is stopped, and its folder removed, when this is dropped.
pub(super) struct Postgres {
    ctx: Ctx,
    programs: Utf8PathBuf,
    folder: Utf8PathBuf,
    port: u16,
    /// Whether this process is root's, so that the server runs as another user.
    is_root: bool,
}

impl Postgres {
    /// Starts a server with a new folder among the temporary files, since the user it runs as may not read the checkout;
    /// `None` when PostgreSQL is not installed.
    pub(super) fn start(ctx: &Ctx) -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else {
            return Ok(None);
        };
        let name = format!("noetl-bench-postgres-{}", std::process::id());
        let folder = Utf8PathBuf::try_from(std::env::temp_dir())?.join(name);
        std::fs::create_dir(&folder).with_context(|| format!("cannot create {folder}"))?;
        let free = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
        let port = free.local_addr()?.port();
        drop(free);
        let server = Self {
            ctx: ctx.clone(),
            programs,
            is_root: is_of_root(&folder)?,
            folder: folder.clone(),
            port,
        };
        if server.is_root {
            let owner = CommandLine::new("chown").args(["postgres", folder.as_str()]);
            run::read(ctx, &owner)?;
        }
        let (data, log) = (folder.join("data"), folder.join("log"));
        let options = format!("-p {port} -h 127.0.0.1 -k {folder}");
        let encoding = ["-U", "noetl", "-A", "trust", "-E", "UTF8", "-N"];
        server.control("initdb", [&["-D", data.as_str()], &encoding[..]].concat())?;
        let how = ["-D", data.as_str(), "-l", log.as_str(), "-o", &options];
        server.control("pg_ctl", [&["start", "-w"], &how[..]].concat())?;
        Ok(Some(server))
    }

    /// Returns the URL of its first database.
    pub(super) fn url(&self) -> String {
        format!("postgres://noetl@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the command that runs a file of SQL in that database, and then does what the server does by itself some
    /// minutes later: it counts the new rows and marks their pages.
    pub(super) fn psql(&self, file: &Utf8Path) -> CommandLine {
        let psql = CommandLine::new(self.programs.join("psql"));
        let psql = psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]);
        let psql = psql.args(["--dbname", &self.url(), "--file", file.as_str()]);
        psql.args(["--command", "VACUUM ANALYZE"])
    }

    /// Runs a program that root may not run.
    fn control(&self, program: &str, args: Vec<&str>) -> anyhow::Result<()> {
        let program = self.programs.join(program);
        let command = match self.is_root {
            true => CommandLine::new("runuser").args(["-u", "postgres", "--", program.as_str()]),
            false => CommandLine::new(program),
        };
        run::read(&self.ctx, &command.args(args).cwd(&self.folder)).map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let stop = vec!["stop", "-w", "-m", "immediate", "-D", data.as_str()];
        let stopped = self.control("pg_ctl", stop);
        if let Err(error) = stopped.and_then(|()| files::remove(&self.folder)) {
            output::warn(&format!("{error:#}"));
        }
    }
}

/// Returns the folder of the newest PostgreSQL.
fn programs() -> Option<Utf8PathBuf> {
    let versions = Utf8Path::new(DEBIAN).read_dir_utf8().into_iter().flatten();
    let debian = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let debian = debian.filter(|folder| folder.join("initdb").is_file());
    debian.max().or_else(|| {
        let initdb = ctx::find_program("initdb")?;
        initdb.parent().map(Utf8Path::to_owned)
    })
}

/// Whether root has made a folder: PostgreSQL refuses to run as root.
fn is_of_root(folder: &Utf8Path) -> anyhow::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = folder.metadata();
        let metadata = metadata.with_context(|| format!("cannot read {folder}"))?;
        Ok(metadata.uid() == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(false)
    }
}
