//! A sandbox for `noetl`: an empty home folder, and none of this machine's servers, tokens and databases.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};

/// An empty folder and a shell whose commands run in it. The folder is removed when this is dropped.
pub(super) struct Sandbox {
    /// Runs commands with the folder as current folder, home and place of data.
    pub shell: Shell,
    /// The folder.
    pub folder: Utf8PathBuf,
}

impl Sandbox {
    /// Makes an empty folder. Its name ends in the process ID, since tasks may run side by side.
    pub(super) fn new(ctx: &Ctx, name: &str) -> anyhow::Result<Self> {
        let folder = ctx.state().join(format!("{name}-{}", std::process::id()));
        files::remove(&folder)?;
        files::create_folder(&folder)?;
        let shell = ctx.shell.clone();
        shell.change_dir(&folder);
        for name in ["HOME", "USERPROFILE"] {
            shell.set_var(name, &folder);
        }
        shell.set_var("NOETL_DATA_DIR", folder.join("data"));
        for name in ["NOETL_API_TOKEN", "DATABASE_URL", "POSTGRES_HOST"] {
            shell.set_var(name, "");
        }
        shell.set_var("NOETL_SERVER_URL", "");
        Ok(Self { shell, folder })
    }

    /// Starts a server, does `work` with its URL, which the shell's commands use as well, and stops it.
    pub(super) fn with_server<T>(
        &self,
        ctx: &Ctx,
        noetl: &Utf8Path,
        work: impl FnOnce(&str) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let sh = &self.shell;
        let start = cmd!(sh, "{noetl} server start --detach --port 0");
        run::read(ctx, start)?;
        let url = files::read_to_string(&self.folder.join(".noetl/noetl_server.url"));
        let done = url.and_then(|url| {
            sh.set_var("NOETL_SERVER_URL", url.trim());
            work(url.trim())
        });
        let force = done.is_err().then_some("--force");
        let stopped = run::read(ctx, cmd!(sh, "{noetl} server stop {force...}"));
        done.and_then(|done| stopped.map(|_| done))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = files::remove(&self.folder) {
            output::warn(&format!("{error:#}"));
        }
    }
}

/// Runs a command and returns the JSON that it prints, or else the JSON of its last line.
pub(super) fn read_json(ctx: &Ctx, command: Cmd<'_>) -> anyhow::Result<Value> {
    let text = command.to_string();
    let printed = run::read(ctx, command)?;
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(&printed)
        .or_else(|_| serde_json::from_str(last))
        .with_context(|| format!("`{text}` printed no JSON: {printed}"))
}
