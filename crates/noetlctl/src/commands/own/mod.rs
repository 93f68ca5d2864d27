//! `noetl self update`, and what `noetl version --check` asks.

pub(super) mod newest;
mod owner;
mod releases;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::cli::own::{SelfCommand, UpdateArgs};
use crate::output;
use releases::Releases;

const CURRENT: &str = env!("CARGO_PKG_VERSION");

pub(super) fn run(command: &SelfCommand) -> anyhow::Result<ExitCode> {
    match command {
        SelfCommand::Update(args) => update(args),
    }
}

fn update(args: &UpdateArgs) -> anyhow::Result<ExitCode> {
    let program = program()?;
    let owner = owner::find(&program, &owner::ask);
    let releases = Releases::new()?;
    let wanted = match &args.version {
        Some(version) => version.trim_start_matches('v').to_owned(),
        None => releases.newest()?,
    };
    if args.version.is_none() && !releases::is_newer(&wanted, CURRENT) {
        output::text(&match wanted == CURRENT {
            true => format!("noetl {CURRENT} is the newest release"),
            false => format!("noetl {CURRENT} is newer than the newest release, {wanted}"),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = owner
        .as_ref()
        .map_or("noetl self update", |owner| &owner.update);
    if args.check {
        output::text(&format!(
            "noetl {wanted} is released, this is {CURRENT}: {command}"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(owner) = &owner {
        let path = program.display();
        return Err(anyhow!("{path} was installed by {}", owner.name)).help(command);
    }
    let folder = program.parent().context("the binary is in no folder")?;
    install(&releases, &wanted, folder)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the path of this binary, with links resolved, since those of package managers lead to their folders.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find the path of this binary")?;
    let cannot = || format!("cannot resolve {}", program.display());
    let resolved = program.canonicalize().with_context(cannot);
    Ok(plain(&resolved.help(BY_HAND)?))
}

/// Returns a path without the `\\?\` that resolved paths of Windows begin with, and other programs do not write.
fn plain(path: &Path) -> PathBuf {
    let text = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    match text {
        Some(text) if !text.starts_with(r"UNC\") => PathBuf::from(text),
        _ => path.to_owned(),
    }
}

/// What helps when this command cannot.
const BY_HAND: &str = "install the release by hand: README.md, section Install, has the command";

/// Runs the installer of a release, which replaces the binary in a folder.
fn install(releases: &Releases, version: &str, folder: &Path) -> anyhow::Result<()> {
    let (name, script) = releases.installer(version)?;
    let work = WorkFolder::new()?;
    let path = work.0.join(name);
    let cannot = || format!("cannot write {}", path.display());
    let written = std::fs::write(&path, script).with_context(cannot);
    written.help("free space in the folder for temporary files")?;
    let mut installer = if cfg!(windows) {
        let mut powershell = Command::new("powershell");
        powershell.args(["-NoProfile", "-ExecutionPolicy", "Bypass", "-File"]);
        powershell.arg(&path).args(["-Version", version, "-To"]);
        powershell
    } else {
        let mut sh = Command::new("sh");
        sh.arg(&path).args(["--version", version, "--to"]);
        sh
    };
    releases.tell(&mut installer);
    let status = installer.arg(folder).status();
    let status = status
        .with_context(|| format!("cannot run {name}"))
        .help(BY_HAND)?;
    if status.success() {
        return Ok(());
    }
    // The installer has said why, and what helps.
    Err(anyhow!(
        "{name} failed ({status}); the old noetl is still there"
    ))
    .help(BY_HAND)
}

/// A private folder, deleted when dropped.
struct WorkFolder(PathBuf);

impl WorkFolder {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("noetl-update-{}", std::process::id()));
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails when somebody else has made it.
        let made = builder.create(&folder);
        made.with_context(|| format!("cannot make {}", folder.display()))
            .help("remove it if it is yours, or set TMPDIR to another folder")?;
        Ok(Self(folder))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolved_paths_of_windows_are_written_as_others_write_them() {
        for (resolved, expected) in [
            (r"\\?\C:\Users\me\noetl.exe", r"C:\Users\me\noetl.exe"),
            (
                r"\\?\UNC\host\share\noetl.exe",
                r"\\?\UNC\host\share\noetl.exe",
            ),
            ("/usr/bin/noetl", "/usr/bin/noetl"),
        ] {
            assert_eq!(plain(Path::new(resolved)), Path::new(expected));
        }
    }
}
