//! The image on a base, in containers of both platforms: group `engine`. debootstrap unpacks the base, a Debian,
//! and does not configure it, so that no arm64 program has to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::assembly::Binaries;
use crate::support::{command, engine, not_run, show, succeed, tool, variable, xtask};

pub(crate) const SUITE: &str = "bookworm";
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// Returns the URL from which this machine's apt fetches the suite.
pub(crate) fn mirror() -> Option<String> {
    let mut apt = command("apt-get");
    apt.args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]);
    let listed = apt.output().ok()?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let first = listed.lines().find(|line| line.ends_with("/debian/"));
    first.map(|line| line.trim_end_matches('/').to_owned())
}

/// Returns a tar of Debian with some packages; it is created once and kept under target/.
fn rootfs(packages: &str, architecture: &str, mirror: &str) -> PathBuf {
    let name = format!("{SUITE}-{}-{architecture}.tar", packages.replace(',', "-"));
    let tar = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if tar.exists() {
        return tar;
    }
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    let mut debootstrap = command("debootstrap");
    debootstrap.args(["--foreign", "--variant=minbase", "--arch", architecture]);
    debootstrap.arg(format!("--include={packages}"));
    succeed(debootstrap.arg(SUITE).arg(&root).arg(mirror));
    let unpack = "set -e; for deb in \"$1\"/var/cache/apt/archives/*.deb; do \
                  dpkg-deb --fsys-tarfile \"$deb\" | tar -x --keep-directory-symlink -C \"$1\"; done; \
                  cp \"$1\"/usr/share/base-passwd/passwd.master \"$1\"/etc/passwd; \
                  cp \"$1\"/usr/share/base-passwd/group.master \"$1\"/etc/group; \
                  rm -rf \"$1\"/var/cache/apt/archives \"$1\"/debootstrap \"$1\"/dev \"$1\"/proc \"$1\"/sys \"$1\"/usr/share/doc; \
                  mkdir \"$1\"/dev \"$1\"/proc \"$1\"/sys";
    succeed(command("sh").args(["-c", unpack, "sh"]).arg(&root));
    let part = tar.with_extension("part");
    succeed(
        command("tar")
            .args(["--sort=name", "-C"])
            .arg(&root)
            .arg("-cf")
            .arg(&part)
            .arg("."),
    );
    fs::rename(part, &tar).unwrap();
    tar
}

/// Returns a Debian of this machine's platform with compilers, or `None` where it cannot be created.
pub(crate) fn compiling() -> Option<PathBuf> {
    tool("debootstrap")?;
    Some(rootfs(
        "python3,gcc,libc6-dev,git",
        own_architecture(),
        &mirror()?,
    ))
}

/// Returns Debian's name of this machine's instruction set.
pub(crate) fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        _ => "arm64",
    }
}

/// Returns the base for both platforms in the registry, by digest; it is built and pushed once.
pub(crate) fn debian(registry: &str) -> Option<&'static str> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let name = NAME.get_or_init(|| {
        tool("debootstrap")?;
        if !show(Command::new("id").arg("-u")).starts_with("0\n") {
            not_run("debootstrap wants root");
            return None;
        }
        let Some(mirror) = mirror() else {
            not_run("apt here knows no Debian");
            return None;
        };
        let context = tempfile::tempdir().unwrap();
        for architecture in ARCHITECTURES {
            let tar = context.path().join(format!("{architecture}.tar"));
            fs::copy(rootfs("python3", architecture, &mirror), tar).unwrap();
        }
        let dockerfile =
            "FROM scratch\nARG TARGETARCH\nADD ${TARGETARCH}.tar /\nENV PATH=/usr/bin:/bin\n";
        fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
        let name = format!("{registry}/base/{SUITE}:python3");
        let mut build = tool("docker")?;
        build.args([
            "buildx",
            "build",
            "--quiet",
            "--provenance=false",
            "--platform",
            "linux/amd64,linux/arm64",
        ]);
        build
            .arg("--output")
            .arg(format!("type=image,name={name},push=true"));
        succeed(build.arg(context.path()));
        let digest = succeed(tool("crane")?.args(["digest", "--insecure", &name]));
        Some(format!("{name}@{}", digest.trim()))
    });
    name.as_deref()
}

/// Returns a playbook with a shell step, a Python step and, on request, a DuckDB step.
pub(crate) fn playbook(duckdb: bool) -> String {
    let mut text = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: proof}\nworkload: {word: hello}\nworkflow:\n  \
                    - step: sh\n    tool: {kind: shell, cmds: \"echo {{ word }} $(uname -m)\"}\n    next: [{step: py}]\n  \
                    - step: py\n    tool:\n      kind: python\n      args: {word: \"{{ word }}\"}\n      \
                    code: \"import getpass; result = word.upper() + ' ' + getpass.getuser()\"\n"
        .to_owned();
    if duckdb {
        text.push_str("    next: [{step: duck}]\n  - step: duck\n    tool: {kind: duckdb, query: select 41 + 1 as answer}\n");
    }
    text
}

/// Runs the playbook in a container of a platform. Returns its report.
pub(crate) fn run(image: &str, platform: &str, playbook: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("playbook.yaml"), playbook).unwrap();
    // The container runs as another user, who must be able to read the files.
    succeed(
        Command::new("chmod")
            .args(["-R", "a+rX"])
            .arg(folder.path()),
    );
    let mut docker = command("docker");
    docker.args([
        "run",
        "--rm",
        "--network",
        "none",
        "--platform",
        platform,
        "--volume",
    ]);
    docker.arg(format!("{}:/playbooks:ro", folder.path().display()));
    let report = succeed(docker.args([image, "run", "/playbooks/playbook.yaml", "--json"]));
    serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"))
}

#[test]
fn python_and_shell_steps_run_on_a_base_of_both_platforms() {
    let Some(registry) = engine() else { return };
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let Some(base) = debian(&registry) else {
        return;
    };
    let target = binaries.folder.path().join("target");
    for (flavour, tag, name) in [
        ("plain", "on-debian", "on-debian"),
        ("python", "debian", "debian-python"),
    ] {
        let flags = [
            "--quiet",
            "image",
            "--json",
            "--push",
            "--registry",
            &registry,
            "--tag",
            tag,
        ];
        let flags = [&flags[..], &["--flavour", flavour, "--base", base]].concat();
        let made = succeed(&mut binaries.xtask(&flags, &target));
        let made: Value = serde_json::from_str(&made).unwrap();
        let image = format!("{registry}/noetl:{name}");
        assert_eq!(made["references"][0], image);
        let digest = [
            "--quiet",
            "image",
            "digest",
            "--flavour",
            flavour,
            "--base",
            base,
        ];
        let predicted = succeed(&mut binaries.xtask(&digest, &target));
        assert_eq!(predicted.trim(), made["index_digest"]);
        if flavour == "plain" {
            succeed(&mut xtask(&["image", "diff", "--arches", &image]));
        }
        let raw = succeed(
            tool("crane")
                .unwrap()
                .args(["manifest", "--insecure", &image]),
        );
        let index: Value = serde_json::from_str(&raw).unwrap();
        let named = &index["annotations"]["org.opencontainers.image.base.name"];
        assert_eq!(*named, base.split_once('@').unwrap().0);
        for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
            let report = run(&image, platform, &playbook(flavour == "python"));
            assert_eq!(
                report["steps"]["sh"]["stdout"],
                format!("hello {machine}\n"),
                "{report}"
            );
            assert_eq!(report["steps"]["py"], "HELLO nonroot", "{report}");
            if flavour == "python" {
                assert_eq!(report["result"]["rows"][0]["answer"], 42, "{report}");
            }
        }
    }
}

#[test]
fn containerd_runs_the_tar_and_lists_the_digest_of_its_index() {
    let Some(_) = engine() else { return };
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let (Some((tar, image)), Some(mut ctr)) = (binaries.dist.image(), tool("ctr")) else {
        return;
    };
    // containerd's socket is next to Docker's.
    let socket = variable("DOCKER_HOST")
        .unwrap()
        .replace("unix://", "")
        .replace("docker.sock", "containerd.sock");
    let at = |command: &mut Command| {
        command.args(["--address", &socket, "--namespace", "noetl-test"]);
    };
    at(&mut ctr);
    if !ctr.arg("version").output().unwrap().status.success() {
        not_run("no containerd answers beside Docker");
        return;
    }
    let run = |words: &[&str]| {
        let mut ctr = command("ctr");
        at(&mut ctr);
        succeed(ctr.args(words))
    };
    let name = image["references"][0].as_str().unwrap();
    run(&["images", "import", "--all-platforms", tar.to_str().unwrap()]);
    let listed = run(&["images", "ls", &format!("name=={name}")]);
    assert!(
        listed.contains(image["index_digest"].as_str().unwrap()),
        "{listed}"
    );
    assert!(listed.contains("linux/amd64,linux/arm64"), "{listed}");
    let container = format!("noetl-test-{}", std::process::id());
    let version = run(&[
        "run",
        "--rm",
        name,
        &container,
        "/usr/bin/noetl",
        "--version",
    ]);
    assert_eq!(
        version.trim(),
        format!("noetl {}", env!("CARGO_PKG_VERSION"))
    );
    run(&["images", "rm", name]);
}
