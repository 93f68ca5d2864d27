//! `image --use-buildx` in a real engine: group `engine`. The Dockerfile's stages that put the runtime
//! together run for both platforms on a Debian base; the binaries are the dist's, given in place of the
//! stage that compiles them, since that takes longer than all other tests together.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::assembly::Binaries;
use crate::bases::{debian, playbook, run};
use crate::support::{command, copy, engine, show, succeed, tool, xtask};

/// An image with pip and this machine's root certificates, in place of the one that compiles.
fn tools(registry: &str, base: &str) -> Option<String> {
    let context = tempfile::tempdir().unwrap();
    let find = "import os, pip; print(os.path.dirname(pip.__file__))";
    let pip = succeed(tool("python3")?.args(["-c", find]));
    copy(Path::new(pip.trim()), &context.path().join("pip"));
    let roots = "etc/ssl/certs/ca-certificates.crt";
    fs::copy(Path::new("/").join(roots), context.path().join("roots.crt")).unwrap();
    let dockerfile = format!(
        "FROM {base}\nCOPY pip /usr/lib/python3/dist-packages/pip\nCOPY roots.crt /{roots}\nENV PIP_CERT=/{roots}\n"
    );
    fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let name = format!("{registry}/base/tools:1");
    let mut build = tool("docker")?;
    build.args(["buildx", "build", "--quiet", "--provenance=false"]);
    build
        .arg("--output")
        .arg(format!("type=image,name={name},push=true"));
    succeed(build.arg(context.path()));
    Some(name)
}

/// The dist's binaries as the stage that compiles leaves them.
fn stage(binaries: &Binaries) -> String {
    let stage = binaries.folder.path().join("stage");
    for flag in binaries
        .flags
        .iter()
        .filter_map(|flag| flag.strip_prefix("linux/"))
    {
        let (architecture, path) = flag.split_once('=').unwrap();
        fs::create_dir_all(stage.join(architecture)).unwrap();
        fs::copy(path, stage.join(architecture).join("noetl")).unwrap();
    }
    stage.to_str().unwrap().to_owned()
}

#[test]
fn buildx_makes_the_image_for_both_platforms_and_for_this_machine() {
    let Some(registry) = engine() else { return };
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let Some(base) = debian(&registry) else {
        return;
    };
    let Some(tools) = tools(&registry, base) else {
        return;
    };
    let build = |words: &[&str]| {
        let mut command = xtask(&["image", "--use-buildx", "--plain", "--base", base]);
        command.args(words).args(["--", "--network=host"]);
        // Images of stages that are given are asked for all the same, and there is no Docker Hub here.
        for name in ["NODE_IMAGE", "RUST_IMAGE"] {
            command.args(["--build-arg", &format!("{name}={base}")]);
        }
        command.args(["--build-context", &format!("binaries={}", stage(&binaries))]);
        succeed(command.args(["--build-context", &format!("tools=docker-image://{tools}")]))
    };
    let both = ["--platforms", "linux/amd64,linux/arm64"];
    let name = format!("{registry}/noetl-local-dev:buildx");
    let pushed = build(
        &[
            &both[..],
            &["--push", "--registry", &registry, "--tag", "buildx"],
        ]
        .concat(),
    );
    assert_eq!(pushed.trim(), name);
    let raw = succeed(command("docker").args(["buildx", "imagetools", "inspect", "--raw", &name]));
    let index: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(
        index["manifests"].as_array().unwrap().len(),
        2,
        "no attestations among them: {raw}"
    );
    assert_eq!(
        index["annotations"]["org.opencontainers.image.title"], "noetl",
        "{raw}"
    );
    for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let report = run(&name, platform, &playbook(true));
        assert_eq!(
            report["steps"]["sh"]["stdout"],
            format!("hello {machine}\n"),
            "{report}"
        );
        assert_eq!(report["steps"]["py"], "HELLO nonroot", "{report}");
        assert_eq!(report["result"]["rows"][0]["answer"], 42, "{report}");
    }
    let checked = show(&mut xtask(&["image", "check", &name]));
    assert!(checked.ends_with("[exit 0]"), "{checked}");
    // Several platforms and no registry: one tar, which passes the same checks.
    let tar = build(&both);
    let checked = show(&mut xtask(&["image", "check", tar.trim()]));
    assert!(checked.ends_with("[exit 0]"), "{checked}");
    // Without flags: this machine's platform, in its engine, under the name that people know.
    assert_eq!(build(&[]).trim(), "noetl-local-dev:latest");
    let version = succeed(Command::new("docker").args([
        "run",
        "--rm",
        "--network",
        "none",
        "noetl-local-dev:latest",
        "--version",
    ]));
    assert_eq!(version, format!("noetl {}\n", env!("CARGO_PKG_VERSION")));
}
