//! Documents: bash runs every line of every shell block, each in a suitable environment.

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
use crate::support::{
    Dist, copy, engine, root, show, succeed, tool, variable, without_cargo_variables,
};

/// The environment in which a line runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A fresh clone of this repository, see `bootstrap.rs`.
    Clone,
    /// A checkout of the fixture, which builds in seconds.
    Fixture,
    /// A checkout of the fixture, with a cluster.
    Cluster,
    /// Not run here, with the reason: another test covers it, or it needs more than a test machine has.
    Elsewhere(&'static str),
}

/// Lines that do not run here, with the reason; text that ends with a space is the start of a line.
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
        "cargo xtask release",
        "release.rs, with services on this machine",
    ),
    (
        "cargo xtask release ",
        "release.rs, with services on this machine",
    ),
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
        "cargo xtask bench ",
        "bench.rs runs three benches; others compile this repository",
    ),
    ("cargo xtask size", "bench.rs, on the dist of the tests"),
    (
        "cargo xtask size ",
        "it compiles this repository; its arithmetic has unit tests",
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

/// Returns every line of the documents' shell blocks, without comments.
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

/// Returns the lines for one place, in the order of the documents.
pub(crate) fn lines_for(wanted: Place) -> Vec<String> {
    let lines: Vec<_> = lines()
        .into_iter()
        .filter(|line| place(line) == wanted)
        .collect();
    assert!(lines.len() > 3, "{wanted:?}: {lines:?}");
    lines
}

/// A shell in which `cargo xtask` runs the xtask under test and `noetl` has a temporary home folder.
pub(crate) struct Terminal {
    cwd: PathBuf,
    guard: TempDir,
    environment: Vec<(String, String)>,
}

impl Terminal {
    /// Creates a shell in a folder.
    pub(crate) fn new(cwd: &Path) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let this = Self {
            cwd: cwd.to_owned(),
            guard,
            environment: Vec::new(),
        };
        fs::create_dir(this.bin()).unwrap();
        // The alias of .cargo/config.toml would compile xtask again.
        this.program(
            "cargo-xtask-under-test",
            &format!("shift; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_xtask")),
        );
        this
    }

    /// Sets an environment variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn bin(&self) -> PathBuf {
        self.guard.path().join("bin")
    }

    /// Adds a program to PATH.
    fn program(&self, name: &str, script: &str) {
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        succeed(Command::new("chmod").arg("+x").arg(path));
    }

    fn bash(&self, line: &str) -> Command {
        let mut bash = without_cargo_variables("bash");
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

    /// Runs a line, which must succeed. Returns its output.
    pub(crate) fn paste(&self, line: &str) -> String {
        let said = show(&mut self.bash(line));
        assert!(said.ends_with("[exit 0]"), "$ {line}\n{said}");
        said
    }

    /// Runs a line that starts a server, which must serve its web page and stop on SIGTERM.
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
fn every_line_of_elsewhere_is_in_a_document() {
    let lines = lines();
    for (start, _) in ELSEWHERE {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "no document has {start}"
        );
    }
}

/// A checkout of the fixture with `bin/noetl`, as the guide creates it.
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
        // Files from which images and their evidence are made.
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

    /// Returns a line with the addresses and paths of this test.
    fn here(&self, line: &str) -> String {
        let dist = self.dist.folder.display().to_string();
        let line = line
            .replace("127.0.0.1:5000", &self.registry.address)
            .replace("ghcr.io", &self.registry.address);
        // The fixture's program is too small for `smoke`.
        line.replace("smoke dist", &format!("smoke '{dist}'"))
    }
}

#[test]
fn documented_build_and_publish_commands_work() {
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
                // Docker Hub is not available to tests.
                let Some(base) = debian(registry) else {
                    continue;
                };
                here = format!("{here} --base {base}");
            }
        }
        if line.contains("--merge") {
            // Build the parts of the other machines.
            stage.terminal.paste("cargo xtask ci-multiarch --shard 2/3");
            stage.terminal.paste("cargo xtask ci-multiarch --shard 3/3");
        }
        stage.terminal.paste(&here);
    }
}

#[test]
fn documented_cluster_commands_work() {
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
    // Push the images that the documents deploy.
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
        // The current context is the cluster that the line is for.
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
