//! `cargo xtask setup` in a fresh clone of this tree.
//!
//! It takes longest of all modules. Tests start in the order of their names, so its name is among the first.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{
    cargo_target, command, git, is_checkout, link_dependencies, not_run, root, show, succeed,
    variable, xtask,
};

/// A copy of the tree's files as a git repository.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Option<Self> {
        if variable("NOETL_TEST_DIST").is_none() {
            not_run("it compiles: `cargo xtask test` runs it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let listing = noetl_checkout::files(root(), ".").unwrap();
        for path in listing.iter().filter(|path| root().join(path).is_file()) {
            let target = folder.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(root().join(path), target).unwrap();
        }
        let this = Self(folder);
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        for words in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--message", "tree"],
        ] {
            succeed(git(this.path())?.args(identity).args(words));
        }
        Some(this)
    }

    fn git(&self, args: &[&str]) -> String {
        succeed(git(self.path()).unwrap().args(args))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command.current_dir(self.path());
        command
    }

    /// Returns xtask in this checkout. All these tests share one cargo target folder.
    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = xtask(args);
        command
            .current_dir(self.path())
            .env("CARGO_TARGET_DIR", cache());
        command
    }

    fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }
}

fn cache() -> PathBuf {
    cargo_target().join("xtask/test-setup")
}

/// A server started by Python, and its URL; killed when dropped.
struct Launched(Child, String);

impl Launched {
    fn new(mut python: Command) -> Self {
        let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self(child, line.trim().rsplit(' ').next().unwrap().to_owned())
    }

    fn page(&self) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        agent
            .get(&self.1)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

const NO_PAGE: &str = r#"{"message":"NoETL API is running, but UI is not available"}"#;

/// One test, since its steps share the compiled files.
#[test]
fn from_a_fresh_clone_to_a_running_server() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    // What earlier tests compiled was in other folders, and is not used again.
    drop(fs::remove_dir_all(cache().join("debug")));
    link_dependencies(&cache());
    without_node(&checkout);
    with_a_broken_page(&checkout);
    let text = show(&mut checkout.xtask(&["setup"]));
    assert!(text.ends_with("[exit 0]"), "{text}");
    for path in [
        "bin/noetl",
        "noetl/bin/noetl",
        "noetl/core/ui/index.html",
        "noetl/server.py",
    ] {
        assert!(checkout.has(path), "{path} is missing");
    }
    let binary = checkout.path().join("bin/noetl");
    assert_eq!(
        show(command(&binary).arg("--version")),
        format!("noetl {}\n[exit 0]", env!("CARGO_PKG_VERSION"))
    );
    let stamp = succeed(command(&binary).args(["version", "--json"]));
    let commit = checkout.git(&["rev-parse", "HEAD"]);
    assert!(
        stamp.contains(commit.trim()) && stamp.contains("\"ui_embedded\": true"),
        "{stamp}"
    );
    as_documented(&checkout);
    launcher(&checkout);
    let built = fs::metadata(&binary).unwrap().modified().unwrap();
    assert!(show(&mut checkout.xtask(&["setup"])).contains("web page is up to date"));
    assert_eq!(
        fs::metadata(&binary).unwrap().modified().unwrap(),
        built,
        "an up-to-date binary is not rebuilt"
    );
    succeed(&mut checkout.xtask(&["clean"]));
    assert!(!checkout.has("bin") && !checkout.has("noetl") && !checkout.has("ui-src/dist"));
    assert_eq!(
        checkout.git(&["status", "--porcelain"]),
        "",
        "all that was made is ignored"
    );
}

/// The same commit gives the same bytes in another folder, with another umask and time zone.
#[test]
fn another_clone_gives_the_same_bytes() {
    if variable("NOETL_TEST_REBUILD").is_none() {
        not_run("it compiles everything once more: NOETL_TEST_REBUILD=1 asks for it");
        return;
    }
    let Some(dist) = crate::support::Dist::find().filter(|_| is_checkout()) else {
        return;
    };
    if dist.manifest["release"]["commit"]
        .as_str()
        .unwrap()
        .ends_with("-dirty")
    {
        not_run("the tree differs from its commit, so it cannot be cloned");
        return;
    }
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let Some(archive) = dist.archive(&target) else {
        return;
    };
    let folder = tempfile::Builder::new()
        .prefix("another clone ")
        .tempdir()
        .unwrap();
    let clone = folder.path().join("noetl");
    let Some(mut git) = git(folder.path()) else {
        return;
    };
    succeed(git.args(["clone", "--quiet"]).arg(root()).arg(&clone));
    // The shared folder has the downloaded zig. cargo compiles everything again, since the clone has another path.
    let script = "umask 077 && exec \"$0\" dist --out \"$1\" --targets \"$2\"";
    let out = folder.path().join("out");
    let mut shell = command("sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_xtask")])
        .arg(&out)
        .arg(&target);
    shell
        .current_dir(&clone)
        .env("CARGO_TARGET_DIR", cache())
        .env("TZ", "Asia/Tokyo")
        .env("LC_ALL", "C");
    succeed(&mut shell);
    let bytes = |path: &Path| fs::read(path).unwrap();
    assert!(
        bytes(&archive.path) == bytes(&out.join(&archive.name)),
        "{} differs",
        archive.name
    );
}

/// NOETL_ENABLE_UI=false needs no Node: on PATH, node and npm are programs that fail.
fn without_node(checkout: &Checkout) {
    let trap = checkout.path().join("target/trap");
    fs::create_dir_all(&trap).unwrap();
    for name in ["node", "npm"] {
        fs::write(
            trap.join(name),
            "#!/bin/sh\necho node was called >&2\nexit 9\n",
        )
        .unwrap();
        succeed(command("chmod").arg("+x").arg(trap.join(name)));
    }
    let path = format!("{}:{}", trap.display(), variable("PATH").unwrap());
    let text = show(
        checkout
            .xtask(&["setup"])
            .env("NOETL_ENABLE_UI", "false")
            .env("PATH", path),
    );
    assert!(
        text.ends_with("[exit 0]") && !text.contains("node was called"),
        "{text}"
    );
    assert!(
        checkout.has("bin/noetl")
            && !checkout.has("noetl/core/ui")
            && !checkout.has("ui-src/node_modules")
    );
}

/// When the web page does not build, existing files are kept and no partial output is left.
fn with_a_broken_page(checkout: &Checkout) {
    let entry = checkout.path().join("ui-src/src/main.tsx");
    let whole = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, "import './no-such-file'\n").unwrap();
    let text = show(&mut checkout.xtask(&["setup"]));
    assert!(
        text.contains("error: cannot build the web page") && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert!(
        !checkout.has("noetl/core/ui") && !checkout.has("ui-src/dist"),
        "no partial output"
    );
    assert!(checkout.has("bin/noetl"), "what worked before still does");
    fs::write(&entry, whole).unwrap();
}

/// Runs the documents' commands for a fresh clone.
#[cfg(unix)]
fn as_documented(checkout: &Checkout) {
    use crate::pasted::{Place, Terminal, lines_for};
    let mut terminal = Terminal::new(checkout.path());
    for (name, value) in checkout.xtask(&[]).get_envs() {
        if let Some(value) = value {
            terminal.set(name.to_str().unwrap(), value.to_str().unwrap());
        }
    }
    for line in lines_for(Place::Clone) {
        if line.contains("server start") {
            terminal.serve(&line);
        } else {
            terminal.paste(&line);
        }
    }
    succeed(&mut checkout.xtask(&["setup"]));
}

#[cfg(not(unix))]
fn as_documented(_: &Checkout) {}

/// Runs `python -m noetl.server` at the repository's root, with and without the web page.
fn launcher(checkout: &Checkout) {
    let home = tempfile::tempdir().unwrap();
    let python = |extra: &[&str]| {
        let mut python = checkout.command("python3");
        python
            .args(["-m", "noetl.server", "--host", "127.0.0.1", "--port", "0"])
            .args(extra);
        python
            .env_remove("NOETL_UI_DIR")
            .env("HOME", home.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        python
    };
    assert!(
        Launched::new(python(&["--init-db"]))
            .page()
            .contains("<div id=\"root\">")
    );
    let mut off = python(&[]);
    off.env("NOETL_ENABLE_UI", "false");
    assert_eq!(Launched::new(off).page(), NO_PAGE);
    let page = checkout.path().join("noetl/core/ui");
    fs::remove_dir_all(&page).unwrap();
    fs::create_dir_all(page.join("assets")).unwrap();
    assert_eq!(
        Launched::new(python(&[])).page(),
        NO_PAGE,
        "an empty assets/ switches the page off"
    );
}
