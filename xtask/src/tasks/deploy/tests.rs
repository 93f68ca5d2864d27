//! The commands that a deploy would run.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DeployArgs,
}

fn planned(words: &[&str], architectures: &[&str]) -> String {
    let args = Line::parse_from([&["deploy"], words].concat()).args;
    let node = |architecture: &&str| ClusterNode {
        name: "n".to_owned(),
        architecture: (*architecture).to_owned(),
        labels: [].into(),
        taints: Vec::new(),
        cordoned: false,
    };
    let nodes: Vec<_> = architectures.iter().map(node).collect();
    let commands = platforms(&nodes).and_then(|platforms| image_commands(&args, &platforms, "t"));
    match commands {
        Ok(commands) => commands.iter().map(|it| format!("{it}\n")).collect(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn images_are_built_for_the_architectures_of_the_nodes() {
    insta::assert_snapshot!(planned(&[], &["arm64"]), @r"
    KIND_CLUSTER_NAME=noetl cargo xtask image --json --tag t --platforms linux/arm64 --registry localhost --load=kind
    KIND_CLUSTER_NAME=noetl cargo xtask image --json --tag t --platforms linux/arm64 --registry localhost --load=kind --flavour python
    ");
    let words = "--context prod --registry r.io/x --python-base r.io/python@sha256:1";
    let words: Vec<_> = words.split(' ').collect();
    insta::assert_snapshot!(planned(&words, &["arm64", "amd64", "arm64"]), @r"
    cargo xtask image --json --tag t --platforms linux/amd64,linux/arm64 --registry r.io/x --push
    cargo xtask image --json --tag t --platforms linux/amd64,linux/arm64 --registry r.io/x --push --flavour python --base r.io/python@sha256:1
    ");
    let built = planned(&["--image", "noetl:1"], &["amd64"]);
    assert_eq!(built, "", "nothing is built");
}

#[test]
fn images_that_cannot_reach_a_node_are_refused_before_the_build() {
    let foreign = planned(&["--context", "prod"], &["amd64"]);
    assert!(foreign.contains("prod is not a kind cluster"), "{foreign}");
    let nodes = planned(&[], &["amd64", "s390x"]);
    let known = "the cluster has s390x nodes: unknown platform `linux/s390x`; an image can be made for linux/amd64, linux/arm64";
    assert_eq!(nodes, known);
}
