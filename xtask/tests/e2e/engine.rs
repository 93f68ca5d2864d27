//! The image in real engines and registries: group `engine`, which needs a running engine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Dist, command, engine, show, succeed, tool, variable, xtask};

/// Pushes the image under a tag. Returns the digest of its index.
fn push(registry: &str, tag: &str) -> String {
    let made = succeed(&mut xtask(&[
        "--quiet",
        "image",
        "--json",
        "--push",
        "--registry",
        registry,
        "--tag",
        tag,
    ]));
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["references"][0], format!("{registry}/noetl:{tag}"));
    made["index_digest"].as_str().unwrap().to_owned()
}

fn prepared() -> Option<String> {
    variable("NOETL_TEST_DIST").and_then(|_| engine())
}

#[test]
fn docker_loads_the_tar_and_runs_it() {
    let (Some(_), Some(dist)) = (engine(), Dist::find()) else {
        return;
    };
    let (Some((tar, image)), Some(mut docker)) = (dist.image(), tool("docker")) else {
        return;
    };
    succeed(docker.arg("load").arg("--input").arg(tar));
    let name = image["references"][0].as_str().unwrap();
    let version = dist.manifest["release"]["version"].as_str().unwrap();
    let text =
        show(command("docker").args(["run", "--rm", "--network", "none", name, "--version"]));
    assert_eq!(text, format!("noetl {version}\n[exit 0]"));
}

#[test]
fn other_tools_accept_the_pushed_image() {
    let Some(registry) = prepared() else { return };
    let digest = push(&registry, "accepted");
    let name = format!("{registry}/noetl:accepted");
    if let Some(mut docker) = tool("docker") {
        let raw = succeed(docker.args(["buildx", "imagetools", "inspect", "--raw", &name]));
        let index: Value = serde_json::from_str(&raw).unwrap();
        let platforms = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|child| child["platform"].to_string());
        let expected = [
            r#"{"architecture":"amd64","os":"linux"}"#,
            r#"{"architecture":"arm64","os":"linux","variant":"v8"}"#,
        ];
        assert_eq!(platforms.collect::<Vec<_>>(), expected);
        let words = succeed(command("docker").args(["buildx", "imagetools", "inspect", &name]));
        assert!(words.contains(&digest), "{words}");
    }
    if let Some(mut crane) = tool("crane") {
        succeed(crane.args(["validate", "--insecure", "--remote", &name]));
        assert_eq!(
            succeed(command("crane").args(["digest", "--insecure", &name])).trim(),
            digest
        );
    }
    if let Some(mut skopeo) = tool("skopeo") {
        let raw = succeed(
            skopeo
                .args(["inspect", "--raw", "--tls-verify=false"])
                .arg(format!("docker://{name}")),
        );
        assert!(
            raw.contains("application/vnd.oci.image.index.v1+json"),
            "{raw}"
        );
    }
    assert!(show(&mut xtask(&["image", "check", &name])).ends_with("no rule is broken\n[exit 0]"));
}

#[test]
fn both_platforms_run_from_the_registry() {
    let Some(registry) = prepared() else { return };
    if tool("docker").is_none() {
        return;
    }
    push(&registry, "runs");
    let name = format!("{registry}/noetl:runs");
    for platform in ["linux/amd64", "linux/arm64"] {
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "--platform",
            platform,
            &name,
            "--version",
        ];
        let printed = succeed(command("docker").args(run));
        assert_eq!(
            printed,
            format!("noetl {}\n", env!("CARGO_PKG_VERSION")),
            "{platform}"
        );
        serve(platform, &name);
    }
}

/// Runs the image's default command on the host's network, and requests the health check and the web page.
fn serve(platform: &str, name: &str) {
    let container = format!(
        "noetl-test-{}-{}",
        std::process::id(),
        platform.replace('/', "-")
    );
    let mut child = command("docker")
        .args([
            "run",
            "--rm",
            "--network",
            "host",
            "--platform",
            platform,
            "--name",
            &container,
        ])
        .args(["--env", "NOETL_PORT=0", name])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    // Those of both families where the machine has IPv6.
    let (before, port) = line.trim().rsplit_once(':').unwrap();
    assert!(
        before.ends_with("://0.0.0.0") || before.ends_with("://[::]"),
        "the image must listen on all addresses: {line:?}"
    );
    let url = format!("http://127.0.0.1:{port}");
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    for path in ["/health", "/"] {
        assert_eq!(
            agent.get(format!("{url}{path}")).call().unwrap().status(),
            200,
            "{platform} {path}"
        );
    }
    // noetl is PID 1, for which the kernel ignores SIGTERM without a handler.
    succeed(command("docker").args(["kill", "--signal", "TERM", &container]));
    assert!(child.wait().unwrap().success());
}

#[test]
fn pushing_again_sends_nothing() {
    let Some(registry) = prepared() else { return };
    push(&registry, "again");
    let text = show(&mut xtask(&[
        "image",
        "--push",
        "--registry",
        &registry,
        "--tag",
        "again",
    ]));
    assert!(text.contains(": 0 bytes sent"), "{text}");
}

#[test]
fn a_single_image_in_a_registry_is_an_error() {
    let (Some(registry), Some(mut skopeo)) = (prepared(), tool("skopeo")) else {
        return;
    };
    push(&registry, "whole");
    let work = tempfile::tempdir().unwrap();
    let single = work.path().join("single");
    let from = format!("docker://{registry}/noetl:whole");
    succeed(
        skopeo
            .args(["copy", "--quiet", "--src-tls-verify=false", &from])
            .arg(format!("oci:{}:x", single.display())),
    );
    let to = format!("docker://{registry}/noetl:single");
    let copy = ["copy", "--quiet", "--dest-tls-verify=false"];
    succeed(
        command("skopeo")
            .args(copy)
            .arg(format!("oci:{}:x", single.display()))
            .arg(to),
    );
    let text = show(&mut xtask(&[
        "image",
        "check",
        &format!("{registry}/noetl:single"),
    ]));
    assert!(
        text.contains("error P1") && text.ends_with("[exit 1]"),
        "{text}"
    );
    fs::remove_dir_all(single).unwrap();
}
