//! The workflows: what others' linters say of them, and that one can be tried before it is pushed.

use std::fs;

use crate::fixture::Fixture;
use crate::support::{engine, pinned, root, show, succeed, tool, xtask};

const WORKFLOW: &str = ".github/workflows/multi-arch.yml";

#[test]
fn linters_of_others_find_nothing() {
    if let Some(mut zizmor) = pinned("zizmor", "zizmor") {
        succeed(zizmor.args(["--offline", "--no-progress", ".github/workflows"]));
    }
    if let Some(mut yamllint) = pinned("yamllint", "yamllint") {
        succeed(yamllint.args(["--strict", ".github", ".yamllint"]));
    }
}

#[test]
fn a_hand_edit_is_shown_and_mended() {
    succeed(&mut xtask(&["ci", "generate", "--check"]));
    let Some(checkout) = Fixture::new() else {
        return;
    };
    succeed(&mut checkout.xtask(&["--quiet", "ci", "generate"]));
    let path = checkout.root().join(WORKFLOW);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, fs::read_to_string(root().join(WORKFLOW)).unwrap());
    fs::write(&path, text.replace("--shard 2/3", "--shard 2/3 --json")).unwrap();
    let said = show(&mut checkout.xtask(&["--quiet", "ci", "generate", "--check"]));
    assert!(
        said.contains("-      - run: cargo xtask ci-multiarch --shard 2/3 --json"),
        "{said}"
    );
    assert!(
        said.contains("+      - run: cargo xtask ci-multiarch --shard 2/3\n"),
        "{said}"
    );
    assert!(
        said.ends_with("help: cargo xtask ci generate\n[exit 1]"),
        "{said}"
    );
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    let said = show(&mut checkout.xtask(&["--quiet", "ci", "generate", "--check"]));
    assert!(said.contains("multi-arch.yml"), "{said}");
    assert!(said.ends_with("[exit 1]"), "{said}");
    succeed(&mut checkout.xtask(&["--quiet", "ci", "generate"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

/// Two shards, joined and pushed, with a job for a machine that is not this one.
const SMALL: &str = "\
on: push
jobs:
  publish:
    needs: [build-1, build-2, elsewhere]
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@0
      - uses: actions/download-artifact@0
        with: {pattern: shard-*, path: target/xtask/shards}
      - run: cargo xtask --quiet ci-multiarch --targets linux --merge target/xtask/shards --push
      - uses: actions/attest-build-provenance@0
  elsewhere:
    runs-on: OTHER
    steps: [{run: cargo xtask smoke dist}]
  build-1:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@0
      - run: cargo xtask --quiet ci-multiarch --targets linux --shard 1/2
      - uses: actions/upload-artifact@0
        with: {name: shard-1, path: target/xtask/shards/1-of-2}
  build-2:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@0
      - run: cargo xtask --quiet ci-multiarch --targets linux --shard 2/2
      - uses: actions/upload-artifact@0
        with: {name: shard-2, path: target/xtask/shards/2-of-2}
";

#[test]
fn a_workflow_runs_here_job_after_job() {
    let Some(registry) = engine() else { return };
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let other = if cfg!(target_arch = "x86_64") {
        "windows-11-arm"
    } else {
        "windows-2025"
    };
    fs::create_dir_all(checkout.root().join(".github/workflows")).unwrap();
    fs::write(
        checkout.root().join(WORKFLOW),
        SMALL.replace("OTHER", other),
    )
    .unwrap();
    checkout.commit("A workflow");
    checkout.share_with("target/xtask/simulate/checkout");
    let Some(commit) = checkout.git(&["rev-parse", "HEAD"]) else {
        return;
    };
    let registry = format!("{registry}/simulated-{}", &commit[..12]);
    let words = [
        "--quiet",
        "ci",
        "simulate",
        "multi-arch",
        "--registry",
        &registry,
    ];
    let said = succeed(&mut checkout.xtask(&words));
    for line in [
        "passed   build-1",
        "passed   build-2",
        "not run  elsewhere",
        "passed   publish",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let Some(mut crane) = tool("crane") else {
        return;
    };
    let tags = succeed(crane.args(["ls", "--insecure", &format!("{registry}/noetl")]));
    assert!(
        tags.contains(commit.trim()) && tags.contains("latest"),
        "{tags}"
    );
    // A job that fails takes those with it that need it, and the others still run.
    let broken = SMALL
        .replace("--shard 1/2", "--shard 9/2")
        .replace("OTHER", other);
    fs::write(checkout.root().join(WORKFLOW), broken).unwrap();
    checkout.commit("A broken one");
    let said = show(&mut checkout.xtask(&words));
    assert!(
        said.contains("failed   build-1") && said.contains("passed   build-2"),
        "{said}"
    );
    assert!(
        said.contains("failed   publish") && said.ends_with("[exit 1]"),
        "{said}"
    );
    let said = show(&mut checkout.xtask(&[
        "ci",
        "simulate",
        "multi-arch",
        "--registry",
        "example.com/x",
    ]));
    assert!(said.contains("is not on this machine"), "{said}");
}
