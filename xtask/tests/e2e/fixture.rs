//! The small workspace of tests/fixture as a git checkout, in which xtask runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{command, copy, git, root, succeed};

/// A checkout of the fixture, deleted when dropped.
pub(crate) struct Fixture {
    guard: tempfile::TempDir,
}

impl Fixture {
    /// Creates a repository with one commit.
    pub(crate) fn new() -> Option<Self> {
        let fixture = Self {
            guard: tempfile::tempdir().unwrap(),
        };
        copy(&root().join("xtask/tests/fixture"), &fixture.root());
        for name in [
            ".git_archival.txt",
            ".gitattributes",
            ".gitignore",
            "rust-toolchain.toml",
            "crates/noetlctl/python/noetl_build.py",
        ] {
            std::fs::copy(root().join(name), fixture.root().join(name)).unwrap();
        }
        fixture.git(&["init", "--quiet", "--initial-branch", "main"])?;
        fixture.commit("First")?;
        fixture.share_tools();
        Some(fixture)
    }

    /// Clones the same commit into a second checkout.
    pub(crate) fn another(&self) -> Option<Self> {
        let other = Self {
            guard: tempfile::tempdir().unwrap(),
        };
        let from = self.root().display().to_string();
        let to = other.root().display().to_string();
        succeed(git(other.guard.path())?.args(["clone", "--quiet", &from, &to]));
        other.share_tools();
        Some(other)
    }

    /// Returns the folder of the checkout.
    pub(crate) fn root(&self) -> PathBuf {
        self.guard.path().join("checkout")
    }

    /// Runs git in the checkout. Returns standard output.
    pub(crate) fn git(&self, args: &[&str]) -> Option<String> {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
        Some(succeed(git(&self.root())?.args(identity).args(args)))
    }

    /// Commits all files.
    pub(crate) fn commit(&self, message: &str) -> Option<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    /// Unpacks a `git archive` of HEAD into a folder that does not exist yet.
    pub(crate) fn unpack_archive(&self, folder: PathBuf) -> Option<Archived> {
        std::fs::create_dir_all(&folder).unwrap();
        let tar = self.guard.path().join("archive.tar");
        self.git(&["archive", "--output", tar.to_str().unwrap(), "HEAD"])?;
        succeed(command("tar").arg("-xf").arg(&tar).arg("-C").arg(&folder));
        let archived = Archived(folder);
        share_tools(&archived.0);
        Some(archived)
    }

    /// Returns xtask, run in the checkout.
    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        xtask_in(&self.root(), args)
    }

    /// Shares the tools that this checkout has downloaded; they do not change the built bytes.
    fn share_tools(&self) {
        share_tools(&self.root());
    }
}

/// An unpacked source archive.
pub(crate) struct Archived(PathBuf);

impl Archived {
    /// Returns the folder of the archive.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Returns xtask, run in the folder.
    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        xtask_in(&self.0, args)
    }
}

fn xtask_in(folder: &Path, args: &[&str]) -> Command {
    let mut xtask = command(env!("CARGO_BIN_EXE_xtask"));
    xtask
        .current_dir(folder)
        .env("NOETL_TEST_XTASK", env!("CARGO_BIN_EXE_xtask"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("GITHUB_OUTPUT")
        .env_remove("GITHUB_STEP_SUMMARY")
        .args(args);
    xtask
}

fn share_tools(folder: &Path) {
    let state = folder.join("target/xtask");
    std::fs::create_dir_all(&state).unwrap();
    for name in ["tools", "zig-cache"] {
        let ours = root().join("target/xtask").join(name);
        std::fs::create_dir_all(&ours).unwrap();
        link(&ours, &state.join(name));
    }
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(from, to).unwrap();
}

#[cfg(windows)]
fn link(from: &Path, to: &Path) {
    std::os::windows::fs::symlink_dir(from, to).unwrap();
}
