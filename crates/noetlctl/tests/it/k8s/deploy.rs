//! `noetl k8s deploy`, `redeploy`, `reset`, `status` and `remove`, with the real kubectl and a fake cluster.

use std::process::Command;

use super::standin::Cluster;
use crate::support::{Home, show, tool_is_missing};

/// Returns a home whose kubectl uses a fake cluster, or `None` without kubectl.
fn cluster(architectures: &[&str]) -> Option<(Home, Cluster)> {
    if Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_err()
    {
        tool_is_missing("kubectl");
        return None;
    }
    let (home, cluster) = (Home::new(), Cluster::start(architectures));
    cluster.kubeconfig(
        &home.path().join("kubeconfig"),
        &["kind-noetl", "production"],
    );
    Some((home, cluster))
}

fn noetl(home: &Home, args: &[&str]) -> String {
    let mut command = home.noetl(&[&["k8s"], args].concat());
    command.env("KUBECONFIG", home.path().join("kubeconfig"));
    show(&command.output().unwrap())
}

fn image_of(cluster: &Cluster, deployment: &str) -> String {
    let object = cluster.object("deployments", "noetl", deployment).unwrap();
    object["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn deploying_twice_changes_nothing_the_second_time() {
    let Some((home, cluster)) = cluster(&["amd64", "arm64"]) else {
        return;
    };
    let text = noetl(&home, &["deploy", "--image", "noetl:1"]);
    assert!(
        text.contains("new in kind-noetl:\n  Namespace noetl\n") && text.ends_with("[exit 0]"),
        "{text}"
    );
    let row = |name: &str, architecture: &str| {
        text.lines().any(|line| {
            line.starts_with(name) && line.contains("Running") && line.ends_with(architecture)
        })
    };
    assert!(
        row("noetl-server-1-0", "amd64")
            && row("noetl-worker-1-0", "amd64")
            && row("noetl-worker-1-1", "arm64"),
        "{text}"
    );
    // The secret is sent through standard input and is not printed.
    let secret = cluster.object("secrets", "noetl", "noetl-secret").unwrap();
    for key in ["NOETL_API_TOKEN", "NOETL_ENCRYPTION_KEY"] {
        let value = secret["data"][key].as_str().unwrap();
        assert!(value.len() == 44 && !text.contains(value), "{key}");
    }
    let changes = cluster.changes();
    let position = |end: &str| {
        changes
            .iter()
            .position(|change| change.ends_with(end))
            .unwrap()
    };
    assert!(
        position("/secrets") < position("deployments/noetl-server"),
        "{changes:?}"
    );

    // Nothing differs, so that nothing is restarted and the secret is kept.
    let text = noetl(&home, &["deploy", "--image", "noetl:1"]);
    assert!(
        text.contains("kind-noetl is already up to date\n") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert_eq!(
        cluster.object("secrets", "noetl", "noetl-secret").unwrap(),
        secret
    );
    let text = noetl(&home, &["status"]);
    assert!(
        text.contains("noetl-server  1/1") && text.ends_with("[exit 0]"),
        "{text}"
    );
}

#[test]
fn the_difference_is_shown_before_it_is_applied() {
    let Some((home, cluster)) = cluster(&["amd64"]) else {
        return;
    };
    let image = |digit: &str| format!("noetl:1@sha256:{}", digit.repeat(64));
    let deploy = |command: &str, image: &str| {
        noetl(&home, &[command, "--image", image, "--python-image", image])
    };
    assert!(deploy("deploy", &image("a")).ends_with("[exit 0]"));
    let text = deploy("redeploy", &image("b"));
    let (removed, added) = (
        format!("-        image: {}\n", image("a")),
        format!("+        image: {}\n", image("b")),
    );
    assert!(
        text.contains(&removed) && text.contains(&added) && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(
        text.find(&added) < text.find("serverside-applied"),
        "{text}"
    );
    assert!(
        !text.contains("rollout restart"),
        "the new image restarts them: {text}"
    );
    assert_eq!(image_of(&cluster, "noetl-worker"), image("b"));
    // Without a difference, redeploy restarts the pods.
    let text = deploy("redeploy", &image("b"));
    assert!(
        text.contains("rollout restart deployment/noetl-server") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(
        text.contains("rollout restart deployment/noetl-worker"),
        "{text}"
    );
}

#[test]
fn a_failed_rollout_is_explained_and_leaves_the_workers_unchanged() {
    let Some((home, cluster)) = cluster(&["amd64", "arm64"]) else {
        return;
    };
    assert!(noetl(&home, &["deploy", "--image", "noetl:1"]).ends_with("[exit 0]"));
    cluster.image("noetl:2", &["arm64"]);
    let text = noetl(&home, &["deploy", "--image", "noetl:2"]);
    assert!(
        text.contains("noetl-server-2-0 on node-0 (linux/amd64): ImagePullBackOff"),
        "{text}"
    );
    assert!(text.contains("no match for platform in manifest"), "{text}");
    let end = "error: noetl-server did not become ready; the workers are unchanged\n\
        help: noetl:2 has nothing for linux/amd64: build it for every node with `cargo xtask image --platforms linux/amd64,linux/arm64 --push`\n[exit 1]";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(image_of(&cluster, "noetl-worker"), "noetl:1-python");
    let text = noetl(&home, &["status", "--json"]);
    assert!(
        text.contains(r#"{"up":false,"#) && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn remove_keeps_the_data() {
    let Some((home, cluster)) = cluster(&["arm64"]) else {
        return;
    };
    assert!(noetl(&home, &["deploy"]).ends_with("[exit 0]"));
    let text = noetl(&home, &["remove"]);
    assert!(
        text.contains("kept: the volume and the keys") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert_eq!(
        cluster.names("noetl"),
        ["persistentvolumeclaims/noetl-data", "secrets/noetl-secret"]
    );
    let secret = cluster.object("secrets", "noetl", "noetl-secret").unwrap();
    assert!(noetl(&home, &["deploy"]).ends_with("[exit 0]"));
    assert_eq!(
        cluster.object("secrets", "noetl", "noetl-secret").unwrap(),
        secret
    );
    // Data cannot be decrypted without its key, so that reset deletes both.
    assert!(noetl(&home, &["reset"]).ends_with("[exit 0]"));
    assert_ne!(
        cluster.object("secrets", "noetl", "noetl-secret").unwrap()["data"],
        secret["data"]
    );
    assert!(noetl(&home, &["remove", "--delete-data"]).ends_with("[exit 0]"));
    assert!(cluster.names("noetl").is_empty());
    let text = noetl(&home, &["status"]);
    assert!(
        text.contains("NoETL is not installed in kind-noetl") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn only_the_named_cluster_is_changed() {
    let Some((home, cluster)) = cluster(&["amd64"]) else {
        return;
    };
    for command in ["deploy", "redeploy", "remove", "reset", "status"] {
        let text = noetl(&home, &[command, "--context", "production"]);
        assert!(
            text.contains("error: the current context is kind-noetl, not production\nhelp: "),
            "{text}"
        );
    }
    assert!(cluster.changes().is_empty());
    let text = noetl(
        &home,
        &["deploy", "--context", "production", "--any-context"],
    );
    assert!(
        text.contains("new in production") && text.ends_with("[exit 0]"),
        "{text}"
    );
}

#[test]
fn an_incomplete_secret_is_not_changed() {
    let Some((home, cluster)) = cluster(&["amd64"]) else {
        return;
    };
    assert!(noetl(&home, &["deploy"]).ends_with("[exit 0]"));
    cluster.change("secrets", "noetl", "noetl-secret", |secret| {
        secret["data"]
            .as_object_mut()
            .unwrap()
            .remove("NOETL_ENCRYPTION_KEY");
    });
    cluster.changes();
    let text = noetl(&home, &["deploy", "--image", "noetl:9"]);
    assert!(
        text.contains(
            "error: the Secret noetl-secret has no NOETL_ENCRYPTION_KEY\nhelp: add the key"
        ),
        "{text}"
    );
    assert_eq!(cluster.changes(), ["PATCH /api/v1/namespaces/noetl"]);
}
