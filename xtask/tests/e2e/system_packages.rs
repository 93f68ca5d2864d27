//! Debs and rpms, read and installed by the tools of their distributions.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::bases;
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

/// A new Debian in a folder.
struct Debian(tempfile::TempDir);

impl Debian {
    fn new() -> Option<Self> {
        let mut debootstrap = tool("debootstrap")?;
        if !is_root("debootstrap") {
            return None;
        }
        let Some(mirror) = bases::mirror() else {
            not_run("apt here knows no Debian");
            return None;
        };
        let root = tempfile::tempdir().unwrap();
        debootstrap.args(["--variant=minbase", bases::SUITE]);
        succeed(debootstrap.arg(root.path()).arg(mirror));
        Some(Self(root))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Returns a command in it, run by a user.
    fn command(&self, user: &str, words: &[&str]) -> Command {
        let mut chroot = command("chroot");
        chroot
            .arg(format!("--userspec={user}:{user}"))
            .arg(self.0.path());
        chroot
            .args(words)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        chroot
    }

    fn run(&self, words: &[&str]) -> String {
        succeed(&mut self.command("root", words))
    }
}

/// dpkg installs the deb in a new Debian: the service has a user, is not enabled, and its program runs as that user.
#[test]
fn dpkg_installs_a_service_that_is_off() {
    let (Some(dist), Some(debian)) = (Dist::find(), Debian::new()) else {
        return;
    };
    let suffix = format!("_{}.deb", bases::own_architecture());
    let all = packages(&dist, "deb");
    let own = |path: &&PathBuf| path.to_str().unwrap().ends_with(&suffix);
    let deb = all.iter().find(own).unwrap();
    std::fs::copy(deb, debian.path("noetl.deb")).unwrap();
    debian.run(&["dpkg", "--install", "/noetl.deb"]);
    let user = debian.run(&["getent", "passwd", "noetl"]);
    let expected = ":/var/lib/noetl:/usr/sbin/nologin";
    assert!(user.trim().ends_with(expected), "{user}");
    let enabled = "etc/systemd/system/multi-user.target.wants/noetl.service";
    assert!(!debian.path(enabled).exists(), "the service is off");
    // As systemd would.
    debian.run(&[
        "install",
        "-d",
        "-o",
        "noetl",
        "-m",
        "700",
        "/var/lib/noetl",
    ]);
    let words = "/usr/bin/noetl server start --port 0 --data-dir /var/lib/noetl";
    let words: Vec<_> = words.split(' ').collect();
    let mut server = debian.command("noetl", &words);
    let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let is_up = lines.any(|line| line.contains("http://127.0.0.1:"));
    assert!(is_up, "the server starts");
    succeed(command("kill").arg(server.id().to_string()));
    server.wait().unwrap();
    let settings = debian.path("etc/noetl/noetl.env");
    let changed = "NOETL_PORT=9000\n";
    std::fs::write(&settings, changed).unwrap();
    debian.run(&["dpkg", "--install", "/noetl.deb"]);
    debian.run(&["dpkg", "--remove", "noetl"]);
    assert_eq!(std::fs::read_to_string(&settings).unwrap(), changed);
    debian.run(&["dpkg", "--purge", "noetl"]);
    assert!(!settings.exists());
    assert!(debian.path("var/lib/noetl").exists(), "executions are kept");
}
