//! The nodes of a cluster, and whether every pod can run on each node that it can be scheduled on.

use std::collections::{BTreeMap, BTreeSet};

use noetl_yaml::{Entry, Node};
use serde_json::Value;

use crate::kube::facts::ImageFacts;
use crate::kube::finding::Finding;
use crate::kube::workload::Workload;
use crate::kube::{entries, items, text};

/// What the scheduler knows about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Go's name of its architecture: `amd64`, `arm64`.
    pub architecture: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether pods without tolerations are kept off it.
    pub reserved: bool,
}

/// The path in a pod's spec of the node affinity that the scheduler requires.
pub(super) const REQUIRED: &str =
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

impl ClusterNode {
    /// Reads one node of `kubectl get nodes --output json`.
    fn parse(node: &Value) -> Option<Self> {
        let word = |path: &str| Some(node.pointer(path)?.as_str()?.to_owned());
        let taints = node["spec"]["taints"].as_array().into_iter().flatten();
        let mut effects = taints.filter_map(|taint| taint["effect"].as_str());
        let is_tainted = effects.any(|effect| ["NoSchedule", "NoExecute"].contains(&effect));
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let labels =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Some(Self {
            name: word("/metadata/name")?,
            architecture: word("/status/nodeInfo/architecture")?,
            labels: labels.collect(),
            reserved: is_tainted || node["spec"]["unschedulable"] == true,
        })
    }

    /// Whether the pod's node selector and required node affinity match this node.
    fn is_selected(&self, pod: &Node) -> bool {
        let label = |key: &str| self.labels.get(key).map(String::as_str);
        let mut selector = entries(pod, "nodeSelector").iter();
        let has_label = |it: &Entry| {
            let value = it.value.text();
            value.is_none() || label(&it.key) == value
        };
        let label_holds = |it: &Node| holds(it, label(text(it, "key").unwrap_or_default()));
        let field_holds = |it: &Node| holds(it, Some(&self.name));
        let term_holds = |term: &Node| {
            items(term, "matchExpressions").iter().all(label_holds)
                && items(term, "matchFields").iter().all(field_holds)
        };
        let terms = pod.at(REQUIRED).map(Node::items);
        selector.all(has_label) && terms.is_none_or(|terms| terms.iter().any(term_holds))
    }
}

/// Whether an expression of a node selector holds for this value. Unknown operators hold, since validation by schema
/// refuses them.
fn holds(expression: &Node, found: Option<&str>) -> bool {
    let values = items(expression, "values").iter();
    let values: Vec<_> = values.filter_map(Node::text).collect();
    let listed = found.is_some_and(|found| values.contains(&found));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let numbers = number(found).zip(number(values.first().copied()));
    match text(expression, "operator").unwrap_or_default() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => numbers.is_some_and(|(found, limit)| found > limit),
        "Lt" => numbers.is_some_and(|(found, limit)| found < limit),
        _ => true,
    }
}

/// Reads the output of `kubectl get nodes --output json`.
pub(crate) fn parse(list: &Value) -> Vec<ClusterNode> {
    let nodes = list["items"].as_array().into_iter().flatten();
    nodes.filter_map(ClusterNode::parse).collect()
}

/// Returns the architectures of the nodes that take pods, sorted; of all nodes when none takes pods.
pub(crate) fn architectures(nodes: &[ClusterNode]) -> Vec<String> {
    let open = open(nodes).into_iter();
    let found: BTreeSet<_> = open.map(|node| node.architecture.clone()).collect();
    found.into_iter().collect()
}

fn open(nodes: &[ClusterNode]) -> Vec<&ClusterNode> {
    let is_any_open = nodes.iter().any(|node| !node.reserved);
    let open = nodes.iter().filter(|node| !(is_any_open && node.reserved));
    open.collect()
}

/// Returns a finding for each pod that no node can take, and for each container whose image is in `images` and is not for
/// the architecture of a node that its pod can be scheduled on.
pub(crate) fn check(
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
    nodes: &[ClusterNode],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        let spec = &workload.spec;
        let mut eligible = match text(spec, "nodeName") {
            // It is not scheduled, so that taints do not matter.
            Some(name) => nodes.iter().filter(|node| node.name == name).collect(),
            None => open(nodes),
        };
        eligible.retain(|node| node.is_selected(spec));
        let mut fields = ["nodeSelector", REQUIRED].into_iter();
        let selector = fields.find_map(|field| Some((field, spec.at(field)?)));
        if let (true, Some((field, node))) = (eligible.is_empty(), selector) {
            let message = "no node of the cluster has these labels".to_owned();
            findings.push(workload.finding(node, field, message));
        }
        for container in workload.containers() {
            let image = container.image();
            let image = image.and_then(|node| Some((node, images.get_key_value(node.text()?)?)));
            let Some((node, (name, facts))) = image else {
                continue;
            };
            let known = facts.architectures();
            for other in &eligible {
                let architecture = other.architecture.as_str();
                if !known.contains(&architecture) {
                    let (host, known) = (&other.name, known.join(", "));
                    let message = format!(
                        "can be scheduled on {host}, which is {architecture}, and {name} is only for {known}"
                    );
                    findings.push(container.finding(node, "image", message));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::fixtures::{images, pod};
    use serde_json::json;

    fn cluster(nodes: &[(&str, Value)]) -> Vec<ClusterNode> {
        let node = |(number, (architecture, spec)): (usize, &(&str, Value))| {
            json!({
                "metadata": {"name": format!("node-{number}"), "labels": {"kubernetes.io/arch": architecture}},
                "spec": spec, "status": {"nodeInfo": {"architecture": architecture}},
            })
        };
        let items: Vec<_> = nodes.iter().enumerate().map(node).collect();
        parse(&json!({ "items": items }))
    }

    fn mixed() -> Vec<ClusterNode> {
        cluster(&[("amd64", json!({})), ("arm64", json!({}))])
    }

    /// Returns the messages about a pod with these fields whose image is for these architectures.
    fn messages(fields: &str, architectures: &[&str], nodes: &[ClusterNode]) -> Vec<String> {
        let workloads = pod(&format!("{fields} containers: [{{image: i:1}}]"));
        let findings = check(&workloads, &images(architectures, "65532"), nodes);
        let findings = findings.into_iter();
        findings.map(|finding| finding.message).collect()
    }

    const NO_NODE: &str = "no node of the cluster has these labels";

    #[test]
    fn image_must_be_for_every_node_that_takes_the_pod() {
        let nodes = mixed();
        assert_eq!(architectures(&nodes), ["amd64", "arm64"]);
        let both = ["amd64", "arm64"];
        assert_eq!(messages("", &both, &nodes), [""; 0]);
        let finding = "can be scheduled on node-0, which is amd64, and i:1 is only for arm64";
        assert_eq!(messages("", &["arm64"], &nodes), [finding]);
        let selector = "nodeSelector: {kubernetes.io/arch: arm64},";
        assert_eq!(messages(selector, &["arm64"], &nodes), [""; 0]);
        let selector = "nodeSelector: {disk: ssd},";
        assert_eq!(messages(selector, &both, &nodes), [NO_NODE]);
    }

    #[test]
    fn node_affinity_and_node_name_select_nodes() {
        let nodes = mixed();
        let affinity = |expression: &str| {
            let expression = expression.replace("ARCH", "kubernetes.io/arch");
            let terms = format!("[{{matchExpressions: [{{{expression}}}]}}]");
            let required = REQUIRED.replace('.', ": {");
            format!("{required}: {terms}}}}}}},")
        };
        for (expression, count) in [
            ("key: ARCH, operator: In, values: [arm64]", 0),
            ("key: ARCH, operator: NotIn, values: [amd64]", 0),
            ("key: ARCH, operator: Exists", 1),
            ("key: disk, operator: DoesNotExist", 1),
            ("key: disk, operator: In, values: [ssd]", 1),
            ("key: cores, operator: Gt, values: ['1']", 1),
        ] {
            let found = messages(&affinity(expression), &["arm64"], &nodes);
            assert_eq!(found.len(), count, "{expression}");
        }
        let none = affinity("key: disk, operator: In, values: [ssd]");
        assert_eq!(messages(&none, &["amd64", "arm64"], &nodes), [NO_NODE]);
        assert_eq!(messages("nodeName: node-1,", &["arm64"], &nodes), [""; 0]);
        assert_eq!(messages("nodeName: node-0,", &["arm64"], &nodes).len(), 1);
    }

    #[test]
    fn nodes_that_take_no_pods_are_ignored() {
        let taint = json!({"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]});
        let nodes = cluster(&[("amd64", taint.clone()), ("arm64", json!({}))]);
        assert_eq!(architectures(&nodes), ["arm64"]);
        assert_eq!(messages("", &["arm64"], &nodes), [""; 0]);
        let only = cluster(&[("amd64", taint)]);
        assert_eq!(architectures(&only), ["amd64"], "unless there is no other");
        assert_eq!(messages("", &["arm64"], &only).len(), 1);
    }
}
