//! Documents: every line of every shell block is pasted into bash, in a place where it makes sense.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::bases::debian;
use crate::documents::DOCUMENTS;
use crate::fixture::Fixture;
use crate::registry::Registry;
use crate::standin::Cluster;
use crate::support::{Dist, copy, engine, root, show, succeed, tool, typed, variable};

/// Where a line is pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A fresh clone of this repository: `setup.rs` does it.
    Clone,
    /// A checkout of the fixture, which builds in seconds.
    Fixture,
    /// The same, with a cluster.
    Cluster,
    /// Another test does what it says, or it needs what no test machine has.
    Elsewhere(&'static str),
}

/// Lines, or where a space ends them how lines begin, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo xtask test", "it runs this very test"),
    ("cargo xtask ci", "it runs this very test"),
    ("cargo test --package ", "CI runs all tests of each package"),
    ("npm --prefix ui-src test ", "CI runs all tests of the page"),
    (
        "NOETL_TEST_DIST=$PWD/target/xtask/test-dist ",
        "CI runs all end-to-end tests",
    ),
    (
        "cargo xtask ci --quick",
        "CI runs its jobs, as parts of all",
    ),
    ("cargo xtask ci generate --check", "workflows.rs"),
    (
        "cargo xtask image --use-buildx",
        "buildx.rs, on images that are at hand",
    ),
    (
        "cargo xtask image --use-buildx ",
        "buildx.rs, on images that are at hand",
    ),
    (
        "docker run noetl-local-dev:latest ",
        "buildx.rs, on images that are at hand",
    ),
    ("kubectl port-forward ", "the stand-in's pods serve nothing"),
    (
        "helm install ",
        "a test of noetl reads the chart; no package manager here has helm",
    ),
    (
        "cargo xtask deploy --cluster kind",
        "no package manager here has kind",
    ),
];

fn place(line: &str) -> Place {
    let is = |what: &str| line == what || what.ends_with(' ') && line.starts_with(what);
    if let Some((_, why)) = ELSEWHERE.iter().find(|(what, _)| is(what)) {
        return Place::Elsewhere(why);
    }
    let begins = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    if begins(&[
        "bin/noetl ",
        "NOETL_ENABLE_UI=false ",
        "cargo xtask setup",
        "cargo xtask doctor",
    ]) {
        Place::Clone
    } else if begins(&[
        "noetl k8s ",
        "kubectl ",
        "cargo xtask k8s ",
        "cargo xtask image resolve ",
        "cargo xtask deploy ",
    ]) {
        Place::Cluster
    } else {
        Place::Fixture
    }
}

/// Every line of the documents' shell blocks, without the words for people behind it.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let mut shell = false;
        for line in text.lines() {
            if line.starts_with("```") {
                shell = line == "```bash";
            } else if shell {
                let command = line.split(" #").next().unwrap().trim();
                lines.push(command.to_owned());
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// The lines for one place, in the documents' order.
pub(crate) fn lines_for(wanted: Place) -> Vec<String> {
    let lines: Vec<_> = lines()
        .into_iter()
        .filter(|line| place(line) == wanted)
        .collect();
    assert!(lines.len() > 3, "{wanted:?}: {lines:?}");
    lines
}

/// A shell with this xtask behind `cargo xtask`, and with a home of its own for `noetl`.
pub(crate) struct Terminal {
    cwd: PathBuf,
    guard: TempDir,
    environment: Vec<(String, String)>,
}

impl Terminal {
    /// Opens one in a folder.
    pub(crate) fn new(cwd: &Path) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let this = Self {
            cwd: cwd.to_owned(),
            guard,
            environment: Vec::new(),
        };
        fs::create_dir(this.bin()).unwrap();
        // The alias of .cargo/config.toml would compile an xtask that is here already.
        this.program(
            "cargo-xtask-under-test",
            &format!("shift; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_xtask")),
        );
        this
    }

    /// Adds a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn bin(&self) -> PathBuf {
        self.guard.path().join("bin")
    }

    /// Puts a program on PATH.
    fn program(&self, name: &str, script: &str) {
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        succeed(Command::new("chmod").arg("+x").arg(path));
    }

    fn bash(&self, line: &str) -> Command {
        let mut bash = typed("bash");
        let path = format!("{}:{}", self.bin().display(), variable("PATH").unwrap());
        bash.current_dir(&self.cwd)
            .env("PATH", path)
            .env("CARGO_ALIAS_XTASK", "xtask-under-test");
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "NOETL_TEST_DIST"] {
            bash.env_remove(name);
        }
        if line.contains("noetl ") && !line.starts_with("cargo ") {
            bash.env("HOME", self.guard.path()).env("NOETL_PORT", "0");
        }
        bash.envs(self.environment.iter().cloned())
            .args(["-euo", "pipefail", "-c", line]);
        bash
    }

    /// Pastes a line and waits for its end, which must be a good one.
    pub(crate) fn paste(&self, line: &str) -> String {
        let said = show(&mut self.bash(line));
        assert!(said.ends_with("[exit 0]"), "$ {line}\n{said}");
        said
    }

    /// Pastes the line of a server, which must serve its page and end when it is asked to.
    pub(crate) fn serve(&self, line: &str) {
        let mut server = self
            .bash(&format!("exec {line}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let url = said.trim().rsplit(' ').next().unwrap();
        let check = self.paste(&format!(
            "bin/noetl server check --no-ui --server-url {url}"
        ));
        succeed(Command::new("kill").arg(server.id().to_string()));
        assert!(server.wait().unwrap().success(), "{line}: {said}{check}");
    }
}

#[test]
fn what_is_said_to_be_elsewhere_is_in_a_document() {
    let lines = lines();
    for (start, _) in ELSEWHERE {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "no document says {start}"
        );
    }
}

/// A checkout of the fixture as somebody has it who followed the guide: `bin/noetl` is there.
struct Stage {
    fixture: Fixture,
    terminal: Terminal,
    dist: Dist,
    registry: Registry,
}

impl Stage {
    fn new() -> Option<Self> {
        let (dist, registry) = (Dist::find()?, Registry::start()?);
        let fixture = Fixture::new()?;
        // What images and the evidence on them are made from.
        for folder in ["docker", "xtask/pins"] {
            copy(&root().join(folder), &fixture.root().join(folder));
        }
        fixture.commit("Pins")?;
        let terminal = Terminal::new(&fixture.root());
        let archive = dist.archive(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))?;
        let noetl = archive.unpack(terminal.guard.path())?;
        fs::create_dir(fixture.root().join("bin")).unwrap();
        fs::copy(&noetl, fixture.root().join("bin/noetl")).unwrap();
        terminal.program("noetl", &format!("exec '{}' \"$@\"", noetl.display()));
        Some(Self {
            fixture,
            terminal,
            dist,
            registry,
        })
    }

    /// A line with this test's names in place of the documents'.
    fn here(&self, line: &str) -> String {
        let dist = self.dist.folder.display().to_string();
        let line = line
            .replace("127.0.0.1:5000", &self.registry.address)
            .replace("ghcr.io", &self.registry.address);
        // The fixture's program is too small to be installed and run.
        line.replace("smoke dist", &format!("smoke '{dist}'"))
    }
}

#[test]
fn commands_that_build_and_publish_work_as_they_stand() {
    let Some(stage) = Stage::new() else { return };
    let engine = engine();
    for line in lines_for(Place::Fixture) {
        let wants_engine = line.starts_with("docker ")
            || line.contains("--load")
            || line.contains("--flavour python");
        let mut here = stage.here(&line).replace("0.1.0", "1.2.3");
        if wants_engine {
            let Some(registry) = &engine else { continue };
            if line.contains("--flavour python") {
                // Docker Hub is no test traffic.
                let Some(base) = debian(registry) else {
                    continue;
                };
                here = format!("{here} --base {base}");
            }
        }
        if line.contains("--merge") {
            // The other machines' parts.
            stage.terminal.paste("cargo xtask ci-multiarch --shard 2/3");
            stage.terminal.paste("cargo xtask ci-multiarch --shard 3/3");
        }
        stage.terminal.paste(&here);
    }
}

#[test]
fn commands_for_clusters_work_as_they_stand() {
    if tool("kubectl").is_none() {
        return;
    }
    let Some(mut stage) = Stage::new() else {
        return;
    };
    let Some(base) = engine().and_then(|registry| debian(&registry)) else {
        return;
    };
    let Some((image, _)) = stage.dist.image() else {
        return;
    };
    let cluster = Cluster::start(&["amd64", "arm64"]);
    let path = |name: &str| stage.fixture.root().join(name);
    fs::write(path("production.yaml"), "worker: {replicas: 2}\n").unwrap();
    fs::write(path("database-url"), "postgresql://noetl@db.example/noetl").unwrap();
    fs::create_dir(path("deploy")).unwrap();
    let image = image.display().to_string();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: server}}\nspec:\n  containers:\n  - {{name: server, image: \"{}/noetl/noetl:0.1.0\"}}\n",
        stage.registry.address
    );
    fs::write(path("deploy/server.yaml"), pod).unwrap();
    // What the documents deploy has been published before.
    for tag in ["0.1.0", "0.1.0-python"] {
        let push = format!(
            "cargo xtask image push '{image}' --registry {}/noetl --tag {tag}",
            stage.registry.address
        );
        stage.terminal.paste(&push);
    }
    let config = path("kubeconfig");
    stage.terminal.set("KUBECONFIG", config.to_str().unwrap());
    stage
        .terminal
        .set("KUBECACHEDIR", path("kubecache").to_str().unwrap());
    for line in lines_for(Place::Cluster) {
        // One is at the cluster that one talks of.
        let current = if line.contains("production") {
            ["production", "kind-noetl"]
        } else {
            ["kind-noetl", "production"]
        };
        cluster.kubeconfig(&config, &current);
        let here = stage.here(&line);
        let here = here
            .replace("target/xtask/image-python", &image)
            .replace("target/xtask/image", &image);
        let more = match line.strip_prefix("cargo xtask deploy ") {
            Some(flags) if flags.contains("--image") => " --no-smoke".to_owned(),
            Some(_) => format!(" --no-smoke --python-base {base}"),
            None => String::new(),
        };
        stage.terminal.paste(&format!("{here}{more}"));
    }
    assert!(!cluster.changes().is_empty());
}
