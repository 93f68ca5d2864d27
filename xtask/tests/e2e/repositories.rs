//! Repositories of a dist, served on loopback and read by apt and dnf.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::fixture::Fixture;
use crate::support::{Dist, command, show, succeed, tool, without_cargo_variables};

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

/// createrepo_c lists the same packages in the same way.
fn check_createrepo(dist: &Path, work: &Path) {
    let (Some(mut createrepo), Some(mut python)) = (tool("createrepo_c"), tool("python3")) else {
        return;
    };
    let copy = work.join("createrepo");
    std::fs::create_dir(&copy).unwrap();
    let rpm = "noetl-1.2.3-1.x86_64.rpm";
    std::fs::copy(dist.join("dnf").join(rpm), copy.join(rpm)).unwrap();
    succeed(
        createrepo
            .args(["--quiet", "--no-database", "--compatibility"])
            .arg(&copy),
    );
    // The time of the file is that of the copy.
    let compare = "import glob, gzip, re, sys, xml.etree.ElementTree as tree
def read(folder, kind):
    path, = glob.glob(f'{folder}/repodata/*-{kind}.xml.gz')
    root = tree.fromstring(gzip.open(path).read())
    for element in root.iter():
        element.text, element.tail = (element.text or '').strip(), None
        if element.tag.endswith('time'):
            del element.attrib['file']
    return tree.canonicalize(tree.tostring(root)).replace('><', '>\\n<')
for kind in ['primary', 'filelists', 'other']:
    ours, theirs = read(sys.argv[1], kind), read(sys.argv[2], kind)
    assert ours == theirs, f'{kind}: ours\\n{ours}\\ntheirs\\n{theirs}'";
    succeed(
        python
            .args(["-c", compare])
            .arg(dist.join("dnf"))
            .arg(&copy),
    );
}

/// pip compiles the source distribution with cargo, and offline.
fn check_sdist(dist: &Path, work: &Path) {
    let Some(mut python) = tool("python3") else {
        return;
    };
    let env = work.join("env");
    succeed(python.args(["-m", "venv", "--without-pip"]).arg(&env));
    let mut pip = without_cargo_variables("python3");
    pip.current_dir(work)
        .args(["-m", "pip", "--python"])
        .arg(env.join("bin/python"));
    pip.args(["install", "--quiet", "--no-index"]);
    succeed(pip.arg(dist.join("noetlctl-1.2.3.tar.gz")));
    let said = succeed(command(env.join("bin/noetl")).arg("--version"));
    assert!(said.contains("1.2.3"), "{said}");
    let metadata = succeed(command(env.join("bin/python")).args([
        "-c",
        "import importlib.metadata as it; print(it.version('noetlctl'), it.metadata('noetlctl')['License-Expression'])",
    ]));
    assert_eq!(metadata.trim(), "1.2.3 MIT");
}

/// ruby, bash and Python read what other package managers install by.
#[test]
fn recipes_are_read_by_their_languages() {
    let Some(dist) = Dist::find() else { return };
    let recipes = dist.folder.join("recipes");
    if let Some(mut ruby) = tool("ruby") {
        let said = succeed(ruby.arg("-c").arg(recipes.join("homebrew/noetl.rb")));
        assert_eq!(said, "Syntax OK\n");
    }
    let print = ". \"$1\" && CARCH=x86_64 && declare -f package >/dev/null && \
        echo \"$pkgname $pkgver ${source_x86_64[0]} ${sha256sums_aarch64[0]}\"";
    let mut bash = command("bash");
    let said = succeed(
        bash.args(["-eu", "-c", print, "bash"])
            .arg(recipes.join("aur/PKGBUILD")),
    );
    let archives = dist.manifest["artifacts"].as_array().unwrap();
    let sha256 = |triple: &str| {
        let mut archives = archives.iter();
        let archive = archives.find(|it| it["content"]["archive"]["target"] == triple);
        archive.unwrap()["sha256"].as_str().unwrap()
    };
    assert!(said.starts_with("noetl-bin 0."), "{said}");
    assert!(
        said.contains("-x86_64-unknown-linux-musl.tar.gz "),
        "{said}"
    );
    assert!(
        said.trim().ends_with(sha256("aarch64-unknown-linux-musl")),
        "{said}"
    );
    // The hash that Nix wants is the same one in base64.
    let flake = std::fs::read_to_string(recipes.join("nix/flake.nix")).unwrap();
    let program =
        "import base64, sys; print(base64.b64encode(bytes.fromhex(sys.argv[1])).decode())";
    let own = sha256("x86_64-unknown-linux-musl");
    let Some(mut python) = tool("python3") else {
        return;
    };
    let hash = succeed(python.args(["-c", program, own]));
    assert!(
        flake.contains(&format!("hash = \"sha256-{}\";", hash.trim())),
        "{flake}"
    );
}

/// apt and dnf find the package in repositories that a key signs, and apt refuses them without the key. pip builds the
/// sources of the same dist.
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
    check_createrepo(&folder, work.path());
    check_sdist(&folder, work.path());
}
