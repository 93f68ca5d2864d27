//! Debs, rpms and their repositories, read and installed by the tools of their distributions.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bases;
use crate::fixture::Fixture;
use crate::support::{Dist, command, not_run, show, succeed, tool};

/// The paths of the artifacts of a kind.
fn packages(dist: &Dist, kind: &str) -> Vec<PathBuf> {
    let artifacts = dist.manifest["artifacts"].as_array().unwrap();
    let of_kind = artifacts
        .iter()
        .filter(|it| it["content"][kind].is_object());
    let paths = of_kind.map(|it| dist.folder.join(it["name"].as_str().unwrap()));
    paths.collect()
}

/// Whether the test runs as root. If not, it is noted as not run.
fn is_root(what: &str) -> bool {
    let is_root = show(Command::new("id").arg("-u")).starts_with("0\n");
    if !is_root {
        not_run(&format!("{what} wants root"));
    }
    is_root
}

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

#[test]
fn lintian_accepts_every_deb() {
    let Some(dist) = Dist::find() else { return };
    for deb in packages(&dist, "deb") {
        let Some(mut lintian) = tool("lintian") else {
            return;
        };
        let said = show(
            lintian
                .args(["--allow-root", "--fail-on", "error,warning"])
                .arg(&deb),
        );
        assert_eq!(said, "[exit 0]", "{}", deb.display());
    }
}

#[test]
fn rpm_verifies_and_installs_every_rpm() {
    let Some(dist) = Dist::find() else { return };
    for package in packages(&dist, "rpm") {
        let Some(mut rpm) = tool("rpm") else { return };
        let said = succeed(rpm.arg("-Kv").arg(&package));
        assert!(said.contains("Payload SHA256 digest: OK"), "{said}");
        assert!(!said.contains("BAD") && !said.contains("NOT"), "{said}");
        if !is_root("rpm") {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let rpm = |words: &[&str]| {
            let mut rpm = command("rpm");
            rpm.arg("--root").arg(root.path()).args(words);
            rpm
        };
        // Scripts and dependencies are those of a whole system.
        let words = ["-i", "--nodeps", "--noscripts", "--ignorearch"];
        succeed(rpm(&words).arg(&package));
        succeed(&mut rpm(&["-V", "--nodeps", "noetl"]));
        let settings = root.path().join("etc/noetl/noetl.env");
        let mode = std::fs::metadata(&settings).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let config = succeed(&mut rpm(&["-q", "--configfiles", "noetl"]));
        assert_eq!(config.trim(), "/etc/noetl/noetl.env");
        std::fs::write(settings, "changed").unwrap();
        let said = show(&mut rpm(&["-V", "--nodeps", "noetl"]));
        assert!(said.contains("c /etc/noetl/noetl.env"), "{said}");
        let Some(mut analyze) = tool("systemd-analyze") else {
            return;
        };
        // The units that it is started after are those of systemd itself.
        let units = "cp /lib/systemd/system/*.target /lib/systemd/system/*.slice \"$1\"";
        let folder = root.path().join("usr/lib/systemd/system");
        succeed(command("sh").args(["-c", units, "sh"]).arg(folder));
        analyze.arg("--root").arg(root.path());
        let said = show(analyze.args(["--man=no", "verify", "noetl.service"]));
        assert_eq!(said, "[exit 0]");
    }
}

/// dpkg installs the deb in a new Debian: the service has a user, is not enabled, and its program runs as that user.
#[test]
fn dpkg_installs_a_service_that_is_off() {
    let Some(dist) = Dist::find() else { return };
    let Some(mut debootstrap) = tool("debootstrap") else {
        return;
    };
    if !is_root("debootstrap") {
        return;
    }
    let Some(mirror) = bases::mirror() else {
        return not_run("apt here knows no Debian");
    };
    let architecture = bases::own_architecture();
    let all = packages(&dist, "deb");
    let own = |path: &&PathBuf| {
        path.to_str()
            .unwrap()
            .ends_with(&format!("_{architecture}.deb"))
    };
    let deb = all.iter().find(own).unwrap();
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    succeed(
        debootstrap
            .args(["--variant=minbase", bases::SUITE])
            .arg(root)
            .arg(mirror),
    );
    std::fs::copy(deb, root.join("noetl.deb")).unwrap();
    let inside = |words: &[&str]| {
        let mut chroot = command("chroot");
        chroot
            .arg(root)
            .args(words)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        chroot
    };
    succeed(&mut inside(&["dpkg", "--install", "/noetl.deb"]));
    let user = succeed(&mut inside(&["getent", "passwd", "noetl"]));
    assert!(
        user.trim().ends_with(":/var/lib/noetl:/usr/sbin/nologin"),
        "{user}"
    );
    let enabled = root.join("etc/systemd/system/multi-user.target.wants/noetl.service");
    assert!(!enabled.exists(), "the service is off");
    succeed(&mut inside(&[
        "sh",
        "-c",
        "install -d -o noetl -m 700 /var/lib/noetl",
    ]));
    let mut server = command("chroot");
    server.args(["--userspec=noetl:noetl"]).arg(root);
    server.args([
        "/usr/bin/noetl",
        "server",
        "start",
        "--port",
        "0",
        "--data-dir",
        "/var/lib/noetl",
    ]);
    let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("http://127.0.0.1:")),
        "the server starts"
    );
    succeed(command("kill").arg(server.id().to_string()));
    server.wait().unwrap();
    let settings = root.join("etc/noetl/noetl.env");
    std::fs::write(&settings, "NOETL_PORT=9000\n").unwrap();
    succeed(&mut inside(&["dpkg", "--install", "/noetl.deb"]));
    succeed(&mut inside(&["dpkg", "--remove", "noetl"]));
    assert_eq!(
        std::fs::read_to_string(&settings).unwrap(),
        "NOETL_PORT=9000\n"
    );
    succeed(&mut inside(&["dpkg", "--purge", "noetl"]));
    assert!(!settings.exists());
    assert!(root.join("var/lib/noetl").exists(), "executions are kept");
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

/// apt and dnf find the package in repositories that a key signs, and apt refuses them without the key.
#[test]
fn apt_and_dnf_read_signed_repositories() {
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let keys = tempfile::tempdir().unwrap();
    std::fs::set_permissions(keys.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |words: &[&str]| {
        let mut gpg = tool("gpg")?;
        gpg.env("GNUPGHOME", keys.path())
            .args(["--batch", "--passphrase", ""])
            .args(words);
        Some(gpg)
    };
    let Some(mut generate) = gpg(&["--quick-generate-key", "test@localhost", "ed25519", "sign"])
    else {
        return;
    };
    succeed(&mut generate);
    let dist = |key: &str| {
        let words = [
            "--quiet",
            "dist",
            "--targets",
            "x86_64-unknown-linux-musl",
            "--sign-with",
            key,
        ];
        let mut xtask = checkout.xtask(&words);
        xtask.env("GNUPGHOME", keys.path());
        xtask
    };
    let said = show(&mut dist("nobody@localhost"));
    assert!(said.contains("help: `gpg --list-secret-keys`"), "{said}");
    assert!(!checkout.root().join("dist").exists(), "{said}");
    succeed(&mut dist("test@localhost"));
    // Another checkout gives the same files, but for the signatures.
    let said = succeed(&mut checkout.xtask(&["--quiet", "verify", "--rebuild", "HEAD"]));
    assert!(said.contains("gives the same bytes"), "{said}");
    let folder = checkout.root().join("dist");
    let Some(served) = Served::new(&folder) else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let key = folder.join("apt/noetl.asc").display().to_string();
    for suite in ["stable", "jammy", "noble"] {
        let state = work.path().join(suite);
        let source = format!("deb [signed-by={key}] {}/apt {suite} main", served.url);
        succeed(apt(&state, &source).arg("update"));
        succeed(apt(&state, &source).args(["download", "noetl"]));
        assert!(state.join("noetl_1.2.3-1_amd64.deb").exists());
        let state = work.path().join(format!("{suite}-without"));
        let source = format!("deb {}/apt {suite} main", served.url);
        let said = show(apt(&state, &source).arg("update"));
        assert!(said.contains("NO_PUBKEY"), "{said}");
        let said = show(apt(&state, &source).args(["download", "noetl"]));
        assert!(said.contains("[exit 100]"), "{said}");
    }
    let list = folder.join("dnf/repodata/repomd.xml");
    let signature = folder.join("dnf/repodata/repomd.xml.asc");
    succeed(gpg(&["--verify"]).unwrap().arg(signature).arg(list));
    let Some(mut dnf) = tool("dnf") else { return };
    dnf.arg("--installroot").arg(work.path().join("root"));
    dnf.arg(format!("--repofrompath=noetl,{}/dnf", served.url));
    dnf.args([
        "--repo=noetl",
        "--setopt=proxy=",
        "--releasever=1",
        "--forcearch=x86_64",
    ]);
    dnf.arg(format!("--setopt=cachedir={}/cache", work.path().display()));
    dnf.args(["repoquery", "--quiet", "--list", "noetl"]);
    let said = succeed(&mut dnf);
    let expected = ["/etc/noetl/noetl.env", "/usr/bin/noetl"];
    assert!(
        expected
            .iter()
            .all(|path| said.lines().any(|line| line == *path)),
        "{said}"
    );
}
