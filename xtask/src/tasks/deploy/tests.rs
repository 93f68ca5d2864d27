//! What a deploy would do, as commands.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DeployArgs,
}

fn args(words: &[&str]) -> DeployArgs {
    Line::parse_from([&["deploy"], words].concat()).args
}

fn planned(words: &[&str], architectures: &[&str]) -> String {
    let args = args(words);
    let node = |architecture: &&str| ClusterNode {
        name: "n".to_owned(),
        architecture: (*architecture).to_owned(),
        labels: [].into(),
        reserved: false,
    };
    let nodes: Vec<_> = architectures.iter().map(node).collect();
    let commands = platforms(&nodes)
        .and_then(|platforms| Ok(image_commands(&delivery(&args)?, &platforms, "t", &args)));
    match commands {
        Ok(commands) => commands
            .iter()
            .map(|command| format!("{command}\n"))
            .collect(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn images_are_made_for_the_nodes_that_are_there() {
    insta::assert_snapshot!(planned(&[], &["arm64"]), @r"
    KIND_CLUSTER_NAME=noetl cargo xtask image --json --tag t --platforms linux/arm64 --registry localhost --load=kind
    KIND_CLUSTER_NAME=noetl cargo xtask image --json --tag t --platforms linux/arm64 --registry localhost --load=kind --flavour python
    ");
    let words = [
        "--context",
        "prod",
        "--registry",
        "r.io/x",
        "--python-base",
        "r.io/python@sha256:1",
    ];
    insta::assert_snapshot!(planned(&words, &["arm64", "amd64", "arm64"]), @r"
    cargo xtask image --json --tag t --platforms linux/amd64,linux/arm64 --registry r.io/x --push
    cargo xtask image --json --tag t --platforms linux/amd64,linux/arm64 --registry r.io/x --push --flavour python --base r.io/python@sha256:1
    ");
    assert_eq!(
        planned(&["--image", "noetl:1"], &["amd64"]),
        "",
        "nothing is built"
    );
}

#[test]
fn what_cannot_reach_a_node_is_refused_before_it_is_built() {
    let foreign = planned(&["--context", "prod"], &["amd64"]);
    assert!(
        foreign.contains("prod is no cluster of kind's"),
        "{foreign}"
    );
    let nodes = planned(&[], &["amd64", "s390x"]);
    assert!(
        nodes.contains("nodes of s390x, and NoETL is built for amd64, arm64"),
        "{nodes}"
    );
}
