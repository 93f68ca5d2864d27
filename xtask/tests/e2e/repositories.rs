//! Repositories of a dist, served on loopback and read by apt and dnf.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::fixture::Fixture;
use crate::support::{command, show, succeed, tool};

/// Serves a folder on loopback until it is dropped.
pub(crate) struct Served {
    server: Child,
    pub(crate) url: String,
}

impl Served {
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let mut server = tool("python3")?;
        server.args([
            "-u",
            "-m",
            "http.server",
            "0",
            "--bind",
            "127.0.0.1",
            "--directory",
        ]);
        server
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .split_whitespace()
            .nth(5)
            .unwrap_or_else(|| panic!("{line}"));
        let url = format!("http://127.0.0.1:{port}");
        Some(Self { server, url })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Returns apt with a state of its own, and with one source.
fn apt(state: &Path, source: &str) -> Command {
    for folder in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(state.join(folder)).unwrap();
    }
    std::fs::write(state.join("status"), "").unwrap();
    std::fs::write(state.join("sources.list"), format!("{source}\n")).unwrap();
    let at = state.display();
    let mut apt = command("apt-get");
    for option in [
        format!("Dir::State={at}"),
        format!("Dir::State::status={at}/status"),
        format!("Dir::Cache={at}/cache"),
        format!("Dir::Etc::sourcelist={at}/sources.list"),
        "Dir::Etc::sourceparts=-".to_owned(),
        "Dir::Etc::trusted=-".to_owned(),
        "Dir::Etc::trustedparts=-".to_owned(),
        "APT::Architecture=amd64".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::http::Proxy=false".to_owned(),
    ] {
        apt.args(["-o", &option]);
    }
    apt.current_dir(state);
    apt
}

/// A new key ring with one key.
struct Keys(TempDir);

impl Keys {
    fn new() -> Option<Self> {
        let keys = Self(tempfile::tempdir().unwrap());
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(keys.0.path(), private).unwrap();
        let generate = [
            "--passphrase",
            "",
            "--quick-generate-key",
            "test@localhost",
            "ed25519",
            "sign",
        ];
        succeed(keys.use_in(tool("gpg")?).arg("--batch").args(generate));
        Some(keys)
    }

    fn use_in(&self, mut command: Command) -> Command {
        command.env("GNUPGHOME", self.0.path());
        command
    }
}

fn check_apt(served: &Served, key: &Path, work: &Path) {
    for suite in ["stable", "jammy", "noble"] {
        let state = work.join(suite);
        let (url, key) = (&served.url, key.display());
        let source = format!("deb [signed-by={key}] {url}/apt {suite} main");
        succeed(apt(&state, &source).arg("update"));
        succeed(apt(&state, &source).args(["download", "noetl"]));
        assert!(state.join("noetl_1.2.3-1_amd64.deb").exists());
        let state = work.join(format!("{suite}-without"));
        let source = format!("deb {url}/apt {suite} main");
        let said = show(apt(&state, &source).arg("update"));
        assert!(said.contains("NO_PUBKEY"), "{said}");
        let said = show(apt(&state, &source).args(["download", "noetl"]));
        assert!(said.contains("[exit 100]"), "{said}");
    }
}

fn check_dnf(served: &Served, work: &Path) {
    let Some(mut dnf) = tool("dnf") else { return };
    dnf.arg("--installroot").arg(work.join("root"));
    dnf.arg(format!("--repofrompath=noetl,{}/dnf", served.url));
    dnf.arg(format!("--setopt=cachedir={}/cache", work.display()));
    let here = "--repo=noetl --setopt=proxy= --releasever=1 --forcearch=x86_64";
    dnf.args(here.split(' '))
        .args(["repoquery", "--quiet", "--list", "noetl"]);
    let said = succeed(&mut dnf);
    for path in ["/etc/noetl/noetl.env", "/usr/bin/noetl"] {
        assert!(said.lines().any(|line| line == path), "{path}: {said}");
    }
}

/// apt and dnf find the package in repositories that a key signs, and apt refuses them without the key.
#[test]
fn apt_and_dnf_read_signed_repositories() {
    let (Some(checkout), Some(keys)) = (Fixture::new(), Keys::new()) else {
        return;
    };
    let dist = |key: &str| {
        let words = [
            "--quiet",
            "dist",
            "--targets",
            "x86_64-unknown-linux-musl",
            "--sign-with",
            key,
        ];
        keys.use_in(checkout.xtask(&words))
    };
    let said = show(&mut dist("nobody@localhost"));
    assert!(said.contains("help: `gpg --list-secret-keys`"), "{said}");
    assert!(
        !said.contains("Compiling"),
        "it is refused before the build: {said}"
    );
    let folder = checkout.root().join("dist");
    assert!(!folder.exists(), "{said}");
    succeed(&mut dist("test@localhost"));
    // Another checkout gives the same files, but for the signatures.
    let said = succeed(&mut checkout.xtask(&["--quiet", "verify", "--rebuild", "HEAD"]));
    assert!(said.contains("gives the same bytes"), "{said}");
    let Some(served) = Served::new(&folder) else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    check_apt(&served, &folder.join("apt/noetl.asc"), work.path());
    let list = folder.join("dnf/repodata/repomd.xml");
    let signature = folder.join("dnf/repodata/repomd.xml.asc");
    let mut gpg = keys.use_in(command("gpg"));
    succeed(gpg.arg("--verify").arg(signature).arg(list));
    check_dnf(&served, work.path());
}
