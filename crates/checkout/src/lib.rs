//! Reads which commit the sources are from, with git or from a source archive, and lists their files.
//!
//! All git commands are started here, so that environment variables and the user's configuration do not change their
//! result.

mod ignore;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path, relative to the root, of the file in which `git archive` writes commit and time (gitattributes(5),
/// `export-subst`).
pub const ARCHIVE_FILE: &str = ".git_archival.txt";

/// Settings that override those of the user which would change the output.
const CONFIG: &[&str] = &[
    "color.ui=false",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "log.showSignature=false",
    "status.showUntrackedFiles=normal",
];

/// Returns a git command without arguments, to be run in the folder `root`. `GIT_*` variables are removed, since in a
/// hook they name the repository of the commit in progress, which may be another one.
pub fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    // Messages are parsed below.
    command.env("LC_ALL", "C").current_dir(root);
    // `git status` would update the index, which git may have locked while a hook runs.
    command.arg("--no-optional-locks");
    for setting in CONFIG {
        command.args(["-c", setting]);
    }
    command
}

/// Runs `git` with `args` in the folder `root`, and returns its standard output.
///
/// # Errors
/// When git is not installed, fails, or prints text that is not UTF-8. The command that git suggests is the help of the
/// error.
pub fn read(root: &Path, args: &[&str]) -> Result<String, Error> {
    let output = git(root).args(args).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new("git is not installed", "install git"),
        _ => Error::new(&format!("cannot start git: {error}"), ""),
    })?;
    let message = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let what = format!("`git {}` failed: {}", args.join(" "), first_line(&message));
        return Err(Error::new(&what, advice(&message).unwrap_or_default()));
    }
    String::from_utf8(output.stdout).map_err(|_| {
        Error::new(
            &format!("`git {}` printed text that is not UTF-8", args.join(" ")),
            "",
        )
    })
}

/// The commit of the sources, and how they differ from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The commit as 40 hex digits.
    pub commit: String,
    /// The time of the commit in seconds since 1970.
    pub time: u64,
    /// Whether a tracked file differs from the commit; always false in an archive, where it is not known.
    pub is_modified: bool,
    /// Whether there are files that are neither tracked nor ignored; always false in an archive, where it is not known.
    pub has_untracked: bool,
    /// Where the commit was read from.
    pub origin: Origin,
}

/// Where a commit was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A git checkout.
    Git,
    /// A source archive.
    Archive,
}

impl Source {
    /// Reads the commit of the sources in the folder `root`, which must be the top of a git checkout or of an unpacked
    /// source archive.
    ///
    /// # Errors
    /// When it is neither, or git fails.
    pub fn read(root: &Path) -> Result<Self, Error> {
        match is_checkout(root) {
            Ok(true) => Self::of_checkout(root),
            Ok(false) => Self::of_archive(root),
            // An archive can be read without git.
            Err(error) => Self::of_archive(root).map_err(|_| error),
        }
    }

    /// Returns the commit, followed by `-dirty` when tracked files differ from it.
    pub fn described(&self) -> String {
        let suffix = if self.is_modified { "-dirty" } else { "" };
        format!("{}{suffix}", self.commit)
    }

    fn of_checkout(root: &Path) -> Result<Self, Error> {
        let log = read(root, &["log", "-1", "--format=%H %ct"])?;
        let (commit, time) = log.trim().split_once(' ').unwrap_or_default();
        let status = read(root, &["status", "--porcelain"])?;
        let untracked = |line: &&str| line.starts_with("??");
        Ok(Self {
            commit: commit.to_owned(),
            time: time
                .parse()
                .map_err(|_| Error::new("`git log` printed no time of the commit", ""))?,
            is_modified: status.lines().any(|line| !untracked(&line)),
            has_untracked: status.lines().any(|line| untracked(&line)),
            origin: Origin::Git,
        })
    }

    fn of_archive(root: &Path) -> Result<Self, Error> {
        let path = root.join(ARCHIVE_FILE);
        let text = fs::File::open(&path).and_then(io::read_to_string);
        let text = text.unwrap_or_default();
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(key, value)| (key == name).then(|| value.trim().to_owned()))
        };
        let is_commit =
            |text: &String| text.len() == 40 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let commit = field("node").filter(is_commit);
        let time = field("node-date").and_then(|time| time.parse().ok());
        match commit.zip(time) {
            Some((commit, time)) => Ok(Self {
                commit,
                time,
                is_modified: false,
                has_untracked: false,
                origin: Origin::Archive,
            }),
            None => Err(Error::new(
                &format!(
                    "{} is neither a git checkout nor a source archive",
                    root.display()
                ),
                "use a clone (git clone), or an archive that git made (git archive HEAD)",
            )),
        }
    }
}

/// Returns whether the folder `root` is the top of a git checkout, and not a folder inside one.
///
/// # Errors
/// When git fails, for instance because another user owns the folder.
pub fn is_checkout(root: &Path) -> Result<bool, Error> {
    match read(root, &["rev-parse", "--show-toplevel"]) {
        Ok(found) => {
            let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let found = PathBuf::from(found.trim_end_matches(['\r', '\n']));
            Ok(canonical(&found) == canonical(root))
        }
        Err(error) if error.message.contains("not a git repository") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns the files below `folder` that are tracked or could be added, as sorted paths with slashes, relative to
/// `root`. In a source archive these are the files that no `.gitignore` matches. `folder` is relative to `root`; `.` is
/// all of it.
///
/// # Errors
/// When git fails, or a folder cannot be listed.
pub fn files(root: &Path, folder: &str) -> Result<Vec<String>, Error> {
    if !is_checkout(root).unwrap_or(false) {
        return ignore::files(root, folder).map_err(|error| {
            let path = root.join(folder);
            Error::new(&format!("cannot list {}: {error}", path.display()), "")
        });
    }
    let words = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "--",
        folder,
    ];
    let listing = read(root, &words)?;
    let mut files: Vec<_> = listing
        .split_terminator('\0')
        .map(ToOwned::to_owned)
        .collect();
    files.sort();
    Ok(files)
}

/// Returns the command that git suggests in a message: the last indented line that begins with `git`.
fn advice(message: &str) -> Option<&str> {
    let indented = message.lines().filter(|line| line.starts_with(['\t', ' ']));
    let mut commands = indented
        .map(str::trim)
        .filter(|line| line.starts_with("git "));
    commands.next_back()
}

fn first_line(message: &str) -> &str {
    let line = message.trim().lines().next().unwrap_or_default();
    line.strip_prefix("fatal: ").unwrap_or(line)
}

/// The error of a git command or of reading the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// How to fix it; empty when that is not known.
    pub help: String,
}

impl Error {
    fn new(message: &str, help: &str) -> Self {
        Self {
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a repository with one commit in a temporary folder; `None` when git is not installed, as on a machine
    /// with only a source archive.
    fn repository() -> Option<tempfile::TempDir> {
        Command::new("git").arg("--version").output().ok()?;
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), &["init", "--quiet"]);
        write(&folder.path().join("file"), "one\n");
        commit(folder.path());
        Some(folder)
    }

    fn run(root: &Path, args: &[&str]) -> String {
        read(root, args).unwrap()
    }

    fn commit(root: &Path) {
        run(root, &["add", "--all"]);
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let words = ["commit", "--quiet", "--message=one", "--no-gpg-sign"];
        run(root, &[&identity[..], &words[..]].concat());
    }

    fn write(path: &Path, text: &str) {
        use std::io::Write as _;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    #[test]
    fn a_checkout_has_its_commit_and_what_differs_from_it() {
        let Some(folder) = repository() else { return };
        let clean = Source::read(folder.path()).unwrap();
        assert_eq!((clean.commit.len(), clean.origin), (40, Origin::Git));
        assert!(!clean.is_modified && !clean.has_untracked && clean.time > 1_700_000_000);
        write(&folder.path().join("new"), "");
        let untracked = Source::read(folder.path()).unwrap();
        assert!(untracked.has_untracked && !untracked.is_modified);
        write(&folder.path().join("file"), "two\n");
        let modified = Source::read(folder.path()).unwrap();
        assert!(modified.described().ends_with("-dirty"));
    }

    #[test]
    fn configuration_does_not_change_the_result() {
        let Some(folder) = repository() else { return };
        let clean = Source::read(folder.path()).unwrap();
        write(&folder.path().join("new"), "");
        for setting in [
            ["log.showSignature", "true"],
            ["status.showUntrackedFiles", "no"],
            ["color.ui", "always"],
        ] {
            run(folder.path(), &["config", setting[0], setting[1]]);
        }
        let found = Source::read(folder.path()).unwrap();
        assert_eq!((&found.commit, found.time), (&clean.commit, clean.time));
        assert!(found.has_untracked);
    }

    #[test]
    fn an_archive_inside_a_repository_is_not_a_checkout() {
        let Some(outer) = repository() else { return };
        let inner = outer.path().join("unpacked");
        write(&inner.join("file"), "");
        let error = Source::read(&inner).unwrap_err();
        assert!(error.message.contains("neither a git checkout"), "{error}");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        write(
            &inner.join(ARCHIVE_FILE),
            &format!("node: {commit}\nnode-date: 1767225600\n"),
        );
        let source = Source::read(&inner).unwrap();
        assert_eq!(
            (source.commit.as_str(), source.time),
            (commit, 1_767_225_600)
        );
        assert_eq!(source.origin, Origin::Archive);
        write(
            &inner.join(ARCHIVE_FILE),
            "node: $Format:%H$\nnode-date: $Format:%ct$\n",
        );
        assert!(Source::read(&inner).is_err(), "nothing was substituted");
    }

    #[test]
    fn git_and_an_archive_list_the_same_files() {
        let Some(folder) = repository() else { return };
        for name in [
            "a/b",
            "a/skip/x",
            "a/kept.log",
            "top/skip/x",
            "x.log",
            ".y.part",
            "a/only/x",
        ] {
            write(&folder.path().join(name), "");
        }
        write(
            &folder.path().join(".gitignore"),
            "# what is made\n/top/\nskip/\n*.log\n.*.part\n",
        );
        write(&folder.path().join("a/.gitignore"), "!kept.log\n/only/\n");
        let expected = [".gitignore", "a/.gitignore", "a/b", "a/kept.log", "file"];
        assert_eq!(files(folder.path(), ".").unwrap(), expected);
        assert_eq!(files(folder.path(), "a").unwrap(), expected[1..4]);
        fs::rename(folder.path().join(".git"), folder.path().join("top/git")).unwrap();
        assert_eq!(files(folder.path(), ".").unwrap(), expected);
        assert_eq!(files(folder.path(), "a").unwrap(), expected[1..4]);
    }

    #[test]
    fn the_command_that_git_suggests_is_the_help() {
        let message = "fatal: detected dubious ownership in repository at '/src'\n\
            To add an exception for this directory, call:\n\n\t\
            git config --global --add safe.directory /src\n";
        let expected = "git config --global --add safe.directory /src";
        assert_eq!(advice(message), Some(expected));
        assert_eq!(
            first_line(message),
            "detected dubious ownership in repository at '/src'"
        );
        assert_eq!(advice("fatal: bad revision"), None);
    }
}
