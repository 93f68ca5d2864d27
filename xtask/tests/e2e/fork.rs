//! A fork: it changes a few lines of Cargo.toml, and from then on everything that names the project names the fork.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::assembly::Binaries;
use crate::registry::{Registry, request, tag};
use crate::support::{command, git, link_dependencies, root, show, succeed};

/// Copies the tracked files of this checkout, and gives the copy another name, owner and registry.
fn fork(to: &Path, registry: &str) -> Option<()> {
    let listed = succeed(git(root())?.args(["ls-files", "-z"]));
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        let (from, copy) = (root().join(file), to.join(file));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        // A file that was removed is still listed until that is committed.
        if from.is_file() {
            fs::copy(from, copy).unwrap();
        }
    }
    let path = to.join("Cargo.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (own, other) in [
        (
            "https://github.com/noetl/noetl",
            "https://github.com/acme/flows",
        ),
        (
            "homepage = \"https://noetl.io\"",
            "homepage = \"https://acme.example\"",
        ),
        (
            "registry = \"ghcr.io/noetl\"",
            &format!("registry = \"{registry}/acme\""),
        ),
        ("image = \"noetl\"", "image = \"flows\""),
    ] {
        assert!(text.contains(own), "{own}");
        text = text.replace(own, other);
    }
    fs::write(&path, text).unwrap();
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
    succeed(git(to)?.args(["init", "--quiet", "--initial-branch", "main"]));
    succeed(git(to)?.args(["add", "--all"]));
    succeed(
        git(to)?
            .args(identity)
            .args(["commit", "--quiet", "--message", "Fork"]),
    );
    Some(())
}

#[test]
fn a_fork_generates_checks_and_publishes_under_its_own_name() {
    let (Some(binaries), Some(registry)) = (Binaries::find(), Registry::start()) else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let checkout = work.path().join("flows");
    if fork(&checkout, &registry.address).is_none() {
        return;
    }
    // Kept between runs of the tests, so that only what the fork changes is compiled.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fork");
    if !target.exists() {
        link_dependencies(&target);
    }
    let mut build = command("cargo");
    build.args(["build", "--quiet", "--locked", "--package", "xtask"]);
    build.env("CARGO_TARGET_DIR", &target);
    succeed(build.current_dir(&checkout));
    let program = target.join("debug/xtask");
    let xtask = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).current_dir(&checkout);
        command.env("CARGO_TARGET_DIR", work.path().join("target"));
        command
    };

    succeed(&mut xtask(&["--quiet", "ci", "generate"]));
    succeed(&mut xtask(&["--quiet", "ci", "generate", "--check"]));
    let read = |file: &str| fs::read_to_string(checkout.join(file)).unwrap();
    let workflow = read(".github/workflows/multi-arch.yml");
    let own = format!("{}/acme", registry.address);
    for step in [
        format!("ci-multiarch --check-access --registry {own}"),
        format!("--push --registry {own}"),
    ] {
        assert!(workflow.contains(&step), "{step}");
    }
    assert!(read("README.md").contains(&format!("docker run {own}/flows:latest")));

    // What is generated is not committed yet. A registry of others would refuse that, and the plan of a push says so.
    let push = |how: &str, to: &str| {
        let words = ["--quiet", "ci-multiarch", how, "--push", "--registry", to];
        show(&mut xtask(&words))
    };
    let plan = push("--plan", &own);
    for part in [format!("\"{own}/flows:latest\""), "-dirty\"".to_owned()] {
        assert!(plan.contains(&part), "{plan}");
    }
    let commands = push("--dry-run", "registry.example/acme");
    for part in [
        "push registry.example/acme/flows:latest",
        "the tree differs",
    ] {
        assert!(commands.contains(part), "{commands}");
    }

    let access = succeed(&mut xtask(&["ci-multiarch", "--check-access"]));
    assert_eq!(access, format!("{own}/flows takes images\n"));

    let mut image = xtask(&[
        "--quiet",
        "image",
        "--push",
        "--attest=none",
        "--tag",
        "1.0",
    ]);
    succeed(binaries.on(&mut image));
    let digest = tag(&registry.address, "acme/flows", "1.0").expect("it is published");
    let path = format!("acme/flows/manifests/{digest}");
    let index = request(&registry.address, "GET", &path, None).body;
    let index: Value = serde_json::from_slice(&index).unwrap();
    let label =
        |name: &str| index["annotations"][format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("source"), "https://github.com/acme/flows");
    assert_eq!(label("url"), "https://acme.example");
}
