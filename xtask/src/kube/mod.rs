//! Kubernetes manifests as text with positions: which containers they run, from which images, and whether a node could
//! run them. Nothing here reads a file or uses a registry or a cluster.

pub(crate) mod facts;
pub(crate) mod finding;
pub(crate) mod nodes;
pub(crate) mod replace;
pub(crate) mod root;
pub(crate) mod schedulable;
pub(crate) mod validator;
pub(crate) mod wiring;
pub(crate) mod workload;

use noetl_yaml::{Entry, Node};

/// Returns the text of the scalar at a path of keys; `None` when there is no such scalar.
fn text<'a>(node: &'a Node, path: &str) -> Option<&'a str> {
    node.at(path).and_then(Node::text)
}

/// Returns the items of the list at a path of keys; none when there is no such list.
fn items<'a>(node: &'a Node, path: &str) -> &'a [Node] {
    node.at(path).map(Node::items).unwrap_or_default()
}

/// Returns the entries of the mapping at a path of keys; none when there is no such mapping.
fn entries<'a>(node: &'a Node, path: &str) -> &'a [Entry] {
    node.at(path).map(Node::entries).unwrap_or_default()
}

/// Inputs that the tests of this module share.
#[cfg(test)]
mod fixtures {
    use std::collections::BTreeMap;

    use crate::kube::facts::{ImageFacts, PlatformFacts};
    use crate::kube::finding::Finding;
    use crate::kube::workload::{Workload, workloads};

    /// Returns the images of a manifest whose image `i:1` is NoETL's for these architectures, with this user.
    pub(super) fn images(architectures: &[&str], user: &str) -> BTreeMap<String, ImageFacts> {
        let platform = |architecture: &&str| PlatformFacts {
            architecture: (*architecture).to_owned(),
            user: user.to_owned(),
            ports: vec![8082],
            env: BTreeMap::from([("HOME".to_owned(), "/home/nonroot".to_owned())]),
            is_noetl: true,
        };
        let facts = ImageFacts {
            digest: "sha256:d".to_owned(),
            platforms: architectures.iter().map(platform).collect(),
        };
        BTreeMap::from([("i:1".to_owned(), facts)])
    }

    /// Returns the workload of a pod whose spec is a flow mapping with this content.
    pub(super) fn pod(spec: &str) -> Vec<Workload> {
        let text = format!("kind: Pod\nmetadata: {{name: p}}\nspec: {{{spec}}}\n");
        workloads("f.yaml", &noetl_yaml::parse(&text).unwrap())
    }

    /// Returns `field: message` of each finding.
    pub(super) fn lines(findings: &[Finding]) -> Vec<String> {
        let findings = findings.iter();
        findings
            .map(|it| format!("{}: {}", it.field, it.message))
            .collect()
    }
}
