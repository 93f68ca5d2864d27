//! Runs xtask and external tools, and notes which tests were skipped and why.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns a variable of the environment; an empty one counts as unset. No other function here reads it.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns a command of any program, run at the root of the repository.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    // Settings of the developer's own server and builds must not affect the tests.
    for name in [
        "NOETL_DEBUG",
        "NOETL_ENABLE_UI",
        "NOETL_HOST",
        "NOETL_PORT",
        "NOETL_UI_DIR",
        "SOURCE_DATE_EPOCH",
    ] {
        command.env_remove(name);
    }
    command
}

/// Returns a command without the variables that cargo sets for tests: with them another cargo would compile
/// everything again.
pub(crate) fn without_cargo_variables(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    for (name, _) in std::env::vars() {
        let kept = ["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name.as_str());
        if name.starts_with("CARGO") && !kept {
            command.env_remove(name);
        }
    }
    command
}

/// Returns git in a folder, independent of the environment and configuration of the user.
pub(crate) fn git(folder: &Path) -> Option<Command> {
    tool("git")?;
    let mut git = noetl_checkout::git(folder);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    Some(git)
}

/// Whether the sources are a git checkout and not a source archive. If not, the test is noted as not run.
pub(crate) fn is_checkout() -> bool {
    let found = noetl_checkout::is_checkout(root()).unwrap_or(false);
    if !found {
        not_run("these sources are no git checkout");
    }
    found
}

/// Returns the xtask under test.
pub(crate) fn xtask(args: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_xtask"));
    command.args(args);
    command
}

/// Runs a command to its end. Returns all output and the exit code.
pub(crate) fn show(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = texts(&output);
    format!(
        "{stdout}{stderr}[exit {}]",
        output.status.code().unwrap_or(-1)
    )
}

/// Runs a command, which must succeed. Returns its standard output.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = texts(&output);
    assert!(
        output.status.success(),
        "{command:?} failed:\n{stdout}{stderr}"
    );
    stdout
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Notes that this test was skipped, and why.
pub(crate) fn skipped(reason: &str) {
    note("skipped", reason);
}

/// Notes that this test was not run because it needs something that no package manager installs.
pub(crate) fn not_run(reason: &str) {
    note("not run", reason);
}

fn note(what: &str, reason: &str) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    eprintln!("{what} {name}: {reason}");
    if let Some(report) = variable("NOETL_TEST_REPORT") {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(report)
            .unwrap();
        writeln!(file, "{what} {name}: {reason}").unwrap();
    }
}

/// Returns a tool of xtask's table. A missing tool is noted; with NOETL_REQUIRE_TOOLS=1 the test fails if a
/// package manager could install the tool.
pub(crate) fn tool(name: &str) -> Option<Command> {
    static TOOLS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    let tools = TOOLS.get_or_init(|| {
        let output = xtask(&["--quiet", "doctor", "--json"]).output().unwrap();
        let list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        list.into_iter()
            .map(|tool| (tool["program"].as_str().unwrap().to_owned(), tool))
            .collect()
    });
    let entry = tools
        .get(name)
        .unwrap_or_else(|| panic!("{name} is not in the table of tools"));
    if entry["state"] == "found" {
        return Some(command(name));
    }
    let installable = ["apt", "pip", "npm", "rustup"]
        .iter()
        .any(|source| entry["source"] == *source);
    let required = variable("NOETL_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !(installable && required),
        "{name} is missing, and NOETL_REQUIRE_TOOLS=1"
    );
    skipped(&format!("{name} is not installed"));
    None
}

/// Returns a program of a Python package that `cargo xtask test` downloads. A missing one is noted as in [`tool`].
pub(crate) fn pinned(package: &str, program: &str) -> Option<Command> {
    let tools = variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folders = fs::read_dir(tools.join("xtask/tools"))
        .into_iter()
        .flatten();
    let folder = folders.map(|entry| entry.unwrap().path()).find(|folder| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&format!("{package}-")) && !name.ends_with(".part")
    });
    let Some(folder) = folder else {
        let required = variable("NOETL_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "{package} is missing, and NOETL_REQUIRE_TOOLS=1");
        skipped(&format!(
            "{package} is not there; `cargo xtask test` fetches it"
        ));
        return None;
    };
    let mut command = command(folder.join("bin").join(program));
    command.env("PYTHONPATH", folder);
    Some(command)
}

/// Returns the registry of a running container engine. Without one the test is noted as not run.
pub(crate) fn engine() -> Option<String> {
    let registry = variable("DOCKER_HOST").and(variable("NOETL_TEST_REGISTRY"));
    if registry.is_none() {
        not_run("no engine: DOCKER_HOST and NOETL_TEST_REGISTRY are not set");
    }
    registry
}

/// The dist that `cargo xtask test` has prepared.
pub(crate) struct Dist {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Value,
}

/// An archive of the dist.
pub(crate) struct Archive {
    pub(crate) name: String,
    pub(crate) target: String,
    /// Its content in dist-manifest.json.
    pub(crate) content: Value,
    /// The path of the archive.
    pub(crate) path: PathBuf,
}

impl Dist {
    /// Returns the dist. Without one the test is noted as not run.
    pub(crate) fn find() -> Option<Self> {
        let Some(folder) = variable("NOETL_TEST_DIST").map(PathBuf::from) else {
            not_run("no dist: `cargo xtask test` prepares one");
            return None;
        };
        let manifest = fs::read(folder.join("dist-manifest.json")).unwrap();
        Some(Self {
            folder,
            manifest: serde_json::from_slice(&manifest).unwrap(),
        })
    }

    pub(crate) fn archives(&self) -> Vec<Archive> {
        let artifacts = self.manifest["artifacts"].as_array().unwrap();
        let archives = artifacts
            .iter()
            .filter(|artifact| artifact["content"]["archive"].is_object());
        let archive = |artifact: &Value| {
            let content = artifact["content"]["archive"].clone();
            let name = artifact["name"].as_str().unwrap().to_owned();
            let target = content["target"].as_str().unwrap().to_owned();
            Archive {
                path: self.folder.join(&name),
                name,
                target,
                content,
            }
        };
        archives.map(archive).collect()
    }

    /// Returns the archive of a target. Without one the test is noted as skipped.
    pub(crate) fn archive(&self, target: &str) -> Option<Archive> {
        let found = self
            .archives()
            .into_iter()
            .find(|archive| archive.target == target);
        if found.is_none() {
            skipped(&format!(
                "this dist has no {target}; `cargo xtask test --targets default` makes all"
            ));
        }
        found
    }

    /// Returns the image's tar and its entry in the manifest.
    pub(crate) fn image(&self) -> Option<(PathBuf, Value)> {
        let artifacts = self.manifest["artifacts"].as_array().unwrap();
        let found = artifacts
            .iter()
            .find(|artifact| artifact["content"]["image"].is_object());
        if found.is_none() {
            not_run("this dist has no image");
        }
        found.map(|image| {
            (
                self.folder.join(image["name"].as_str().unwrap()),
                image["content"]["image"].clone(),
            )
        })
    }
}

impl Archive {
    /// Unpacks the archive with tar or unzip. Returns the path of the binary.
    pub(crate) fn unpack(&self, into: &Path) -> Option<PathBuf> {
        if self.name.ends_with(".zip") {
            succeed(tool("unzip")?.arg("-q").arg(&self.path).arg("-d").arg(into));
        } else {
            succeed(tool("tar")?.arg("-xzf").arg(&self.path).arg("-C").arg(into));
        }
        Some(into.join(self.content["binary"].as_str().unwrap()))
    }
}

/// Returns the target folder of the cargo that runs the tests.
pub(crate) fn cargo_target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Brings the compiled dependencies into another target folder, so that only the crates of a checkout are compiled there.
/// Libraries are linked, since rustc replaces those that it has written. Records and the files of build scripts are
/// copied with their times, since cargo and the scripts write into those that are there.
pub(crate) fn link_dependencies(target: &Path) {
    let (from, to) = (cargo_target().join("debug"), target.join("debug"));
    for_each_file(&from.join("deps"), &to.join("deps"), &|from, to| {
        fs::hard_link(from, to).unwrap();
    });
    for part in [".fingerprint", "build"] {
        for_each_file(&from.join(part), &to.join(part), &|from, to| {
            fs::copy(from, to).unwrap();
            let time = fs::metadata(from).unwrap().modified().unwrap();
            let copy = fs::File::options().append(true).open(to).unwrap();
            copy.set_modified(time).unwrap();
        });
    }
}

/// Makes the folders of `from` in `to`, and calls `place` with the paths of each file there and here.
fn for_each_file(from: &Path, to: &Path, place: &dyn Fn(&Path, &Path)) {
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(from).into_iter().flatten();
    for entry in entries.map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            for_each_file(&entry.path(), &target, place);
        } else {
            place(&entry.path(), &target);
        }
    }
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Flips one bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}
