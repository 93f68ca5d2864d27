//! install.sh in every shell, over a server on loopback that also tampers, cuts, redirects and stalls. The archives
//! contain a small script instead of the program.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::support::{Dist, command, not_run, pinned, root, show, succeed, tool};

const SHELLS: [&[&str]; 6] = [
    &["dash"],
    &["bash"],
    &["busybox", "sh"],
    &["zsh"],
    &["ksh"],
    &["mksh"],
];
const OWN: &str = "1.2.3";
const OTHER: &str = "1.2.0";

/// A folder with releases, a rendered installer and a server; the first part of a URL's path is how the server behaves.
struct Releases {
    guard: tempfile::TempDir,
    url: String,
    /// Gets a message when half of an archive was sent, and no more follows.
    stalled: Receiver<()>,
}

impl Releases {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let sums = [OWN, OTHER].map(|version| release(guard.path(), version));
        let script = root().join("xtask/src/release/packages/installers/install.sh");
        let script = fs::read_to_string(script).unwrap();
        let script = script
            .replace("@VERSION@", OWN)
            .replace("@SUMS@", sums[0].trim_end());
        let script = script.replace("@REPOSITORY@", "https://localhost/noetl");
        let script = script.replace("@MACOS_MINIMUM@", "11.0");
        fs::write(guard.path().join("install.sh"), script).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = guard.path().to_owned();
        let (sender, stalled) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, sender) = (folder.clone(), sender.clone());
                // A client may leave before it has everything.
                thread::spawn(move || drop(answer(stream, &folder, &sender)));
            }
        });
        Self {
            guard,
            url,
            stalled,
        }
    }

    /// Returns the installer in a shell, with a server that behaves in a way.
    fn install(&self, shell: &[&str], behaviour: &str, to: &Path) -> Command {
        let mut install = command(shell[0]);
        install
            .args(&shell[1..])
            .arg(self.guard.path().join("install.sh"))
            .arg("--to")
            .arg(to);
        install.env("NOETL_DOWNLOAD_URL", format!("{}/{behaviour}", self.url));
        install.env("HOME", self.guard.path()).env("no_proxy", "*");
        install
    }
}

/// Writes the archive of a version for this machine and its checksums. Returns these.
fn release(folder: &Path, version: &str) -> String {
    let stem = format!(
        "noetl-v{version}-{}-unknown-linux-musl",
        std::env::consts::ARCH
    );
    let release = folder.join(format!("v{version}"));
    let program = release.join(&stem).join("noetl");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    // Long enough for a download to be interrupted.
    let script = format!("#!/bin/sh\necho 'noetl {version}'\nexit\n{}", noise());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let archive = format!("{stem}.tar.gz");
    let mut tar = command("tar");
    tar.current_dir(&release).args(["-czf", &archive, &stem]);
    succeed(&mut tar);
    let mut sum = command("sha256sum");
    let sums = succeed(sum.current_dir(&release).arg(&archive));
    fs::write(release.join("SHA256SUMS"), &sums).unwrap();
    sums
}

/// Text that gzip makes hardly shorter.
fn noise() -> String {
    let mut state = 1_u64;
    let numbers = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        format!("{state:x}")
    });
    numbers.take(20_000).collect()
}

/// Answers one request for a file.
fn answer(mut stream: TcpStream, folder: &Path, stalled: &Sender<()>) -> std::io::Result<()> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    reader.read_line(&mut line)?;
    let mut header = String::from("x");
    while !header.trim().is_empty() {
        header.clear();
        reader.read_line(&mut header)?;
    }
    let path = line.split(' ').nth(1).unwrap_or_default();
    let (behaviour, path) = path[1..].split_once('/').unwrap_or_default();
    if behaviour == "redirect" {
        let head = format!(
            "HTTP/1.1 302 Found\r\nLocation: /ok/{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        return stream.write_all(head.as_bytes());
    }
    let Ok(mut bytes) = fs::read(folder.join(path)) else {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes())?;
    let middle = bytes.len() / 2;
    let is_archive = path.ends_with(".gz");
    match behaviour {
        "tampered" if is_archive => bytes[middle] ^= 1,
        "cut" if is_archive => bytes.truncate(middle),
        "stalled" if is_archive => {
            stream.write_all(&bytes[..middle])?;
            stalled.send(()).map_err(std::io::Error::other)?;
            // Until the client is gone.
            reader.read_line(&mut line)?;
            return Ok(());
        }
        _ => {}
    }
    stream.write_all(&bytes)
}

/// Returns the version that is installed, and whether nothing else is in the folder.
fn installed(to: &Path) -> (String, bool) {
    let version = command(to.join("noetl")).output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let is_clean = fs::read_dir(to).unwrap().count() == 1;
    (
        version.trim_start_matches("noetl ").trim().to_owned(),
        is_clean,
    )
}

/// Returns a PATH with the programs of this machine but some.
fn path_without(folder: &Path, without: &[&str]) -> PathBuf {
    fs::create_dir(folder).unwrap();
    for programs in ["/usr/bin", "/bin"] {
        for program in fs::read_dir(programs).unwrap().flatten() {
            let name = program.file_name();
            if !without.iter().any(|it| name == *it) {
                // /bin has the same programs where it is a link.
                drop(symlink(program.path(), folder.join(name)));
            }
        }
    }
    folder.to_owned()
}

fn refused(command: &mut Command, expected: &str) {
    let said = show(command);
    assert!(
        said.contains(expected) && said.contains("\nhelp: "),
        "{said}"
    );
    assert!(said.ends_with("[exit 1]"), "{said}");
}

#[test]
fn every_shell_installs_upgrades_and_removes() {
    let releases = Releases::new();
    let without_hash = path_without(
        &releases.guard.path().join("without"),
        &["sha256sum", "shasum", "openssl"],
    );
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("a b'c \"d\" $x");
        let install = |behaviour: &str, options: &[&str]| {
            let mut install = releases.install(shell, behaviour, &to);
            install.args(options);
            install
        };
        let said = show(&mut install("ok", &[]));
        assert!(
            said.contains("noetl 1.2.3 is installed"),
            "{shell:?}: {said}"
        );
        assert_eq!(installed(&to), (OWN.to_owned(), true), "{shell:?}");
        let said = show(&mut install("redirect", &["--version", OTHER]));
        assert!(said.contains("noetl 1.2.3 -> 1.2.0"), "{shell:?}: {said}");
        let is_other = || assert_eq!(installed(&to), (OTHER.to_owned(), true), "{shell:?}");
        is_other();
        refused(&mut install("tampered", &[]), "has the SHA-256");
        is_other();
        refused(&mut install("cut", &[]), "error: ");
        is_other();
        refused(
            &mut install("ok", &["--version", "9.9.9"]),
            "/ok/v9.9.9/SHA256SUMS",
        );
        is_other();
        refused(
            install("ok", &[]).env("PATH", &without_hash),
            "not installed: sha256sum shasum openssl",
        );
        is_other();
        let said = show(&mut install("ok", &[]));
        assert!(said.contains("noetl 1.2.0 -> 1.2.3"), "{shell:?}: {said}");
        let said = show(&mut install("ok", &["--uninstall"]));
        assert!(
            said.contains("removed ") && said.ends_with("[exit 0]"),
            "{shell:?}: {said}"
        );
        assert!(!to.join("noetl").exists(), "{shell:?}");
        refused(&mut install("ok", &["--uninstall"]), "there is no noetl in");
        let said = show(&mut install("ok", &["--nonsense"]));
        assert!(said.ends_with("[exit 2]"), "{shell:?}: {said}");
    }
}

#[test]
fn a_killed_installer_leaves_the_old_program() {
    let releases = Releases::new();
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            return;
        }
        let to = tempfile::tempdir().unwrap();
        succeed(
            releases
                .install(shell, "ok", to.path())
                .args(["--version", OTHER]),
        );
        for signal in ["TERM", "KILL"] {
            let mut install = releases.install(shell, "stalled", to.path());
            let mut install = install.stderr(Stdio::null()).spawn().unwrap();
            releases.stalled.recv().unwrap();
            succeed(command("kill").args(["-s", signal, &install.id().to_string()]));
            let status = install.wait().unwrap();
            assert!(!status.success(), "{shell:?} {signal}");
            let (version, is_clean) = installed(to.path());
            assert_eq!(version, OTHER, "{shell:?} {signal}");
            assert!(is_clean || signal == "KILL", "{shell:?} {signal}");
        }
        // It removes what the killed one left.
        succeed(&mut releases.install(shell, "ok", to.path()));
        assert_eq!(installed(to.path()), (OWN.to_owned(), true), "{shell:?}");
    }
}

#[test]
fn a_full_or_read_only_disk_keeps_the_old_program() {
    if !show(Command::new("id").arg("-u")).starts_with("0\n") {
        return not_run("mount wants root");
    }
    let releases = Releases::new();
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            return;
        }
        let to = tempfile::tempdir().unwrap();
        let mount = |options: &str| {
            let mut mount = command("mount");
            mount
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(to.path());
            mount
        };
        // Room for the archive, and not for what is in it; the old program is shorter.
        if !show(&mut mount("size=400k")).ends_with("[exit 0]") {
            return not_run("this container may not mount");
        }
        let program = to.path().join("noetl");
        fs::write(&program, format!("#!/bin/sh\necho noetl {OTHER}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let full = show(&mut releases.install(shell, "ok", to.path()));
        let after_full = installed(to.path());
        succeed(&mut mount("remount,ro,size=400k"));
        let read_only = show(&mut releases.install(shell, "ok", to.path()));
        let after_read_only = installed(to.path());
        succeed(command("umount").arg(to.path()));
        for said in [full, read_only] {
            assert!(
                said.contains("\nhelp: ") && said.ends_with("[exit 1]"),
                "{shell:?}: {said}"
            );
        }
        assert_eq!(after_full, (OTHER.to_owned(), true), "{shell:?}");
        assert_eq!(after_read_only, (OTHER.to_owned(), true), "{shell:?}");
    }
}

/// The installer of a dist installs the program of that dist.
#[test]
fn the_installer_of_a_dist_installs_its_program() {
    let Some(dist) = Dist::find() else { return };
    let version = dist.manifest["release"]["version"].as_str().unwrap();
    let mirror = tempfile::tempdir().unwrap();
    symlink(&dist.folder, mirror.path().join(format!("v{version}"))).unwrap();
    let to = tempfile::tempdir().unwrap();
    let mut install = command("sh");
    install
        .arg(dist.folder.join("install.sh"))
        .arg("--to")
        .arg(to.path());
    let Some(served) = crate::repositories::Served::new(mirror.path()) else {
        return;
    };
    install
        .env("NOETL_DOWNLOAD_URL", &served.url)
        .env("no_proxy", "*");
    succeed(&mut install);
    let said = succeed(command(to.path().join("noetl")).arg("--version"));
    assert!(said.starts_with(&format!("noetl {version}")), "{said}");
}

#[test]
fn linters_find_nothing_in_the_installers() {
    let folder = root().join("xtask/src/release/packages/installers");
    if let Some(mut shellcheck) = tool("shellcheck") {
        succeed(shellcheck.arg(folder.join("install.sh")));
    }
    // PowerShell itself is not in Debian; its grammar is.
    let program = "import sys, tree_sitter, tree_sitter_pwsh as grammar
parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
tree = parser.parse(open(sys.argv[1], 'rb').read())
assert not tree.root_node.has_error, 'it does not parse'
assert parser.parse(b'function x {').root_node.has_error, 'everything parses'";
    if let Some(python) = pinned("tree-sitter-pwsh", "") {
        let packages = python.get_envs().find(|(name, _)| *name == "PYTHONPATH");
        let packages = packages.and_then(|(_, value)| value).unwrap().to_owned();
        let mut python = command("python3");
        succeed(
            python
                .env("PYTHONPATH", packages)
                .args(["-c", program])
                .arg(folder.join("install.ps1")),
        );
    }
}
