//! The nodes of a cluster, and whether every pod can run on each node that it can be scheduled on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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
    /// The taints that keep pods off it which do not tolerate them.
    pub taints: Vec<Taint>,
    /// Whether it takes no new pods at all (`kubectl cordon`).
    pub cordoned: bool,
}

/// A taint with the effect `NoSchedule` or `NoExecute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, which may be empty.
    pub value: String,
    /// Its effect.
    pub effect: String,
}

impl Taint {
    fn parse(taint: &Value) -> Option<Self> {
        let word = |name: &str| taint[name].as_str().map(str::to_owned);
        let effect = word("effect")?;
        let keeps_off = ["NoSchedule", "NoExecute"].contains(&effect.as_str());
        keeps_off.then_some(Self {
            key: word("key")?,
            value: word("value").unwrap_or_default(),
            effect,
        })
    }

    /// Whether a toleration of a pod is for this taint.
    fn is_tolerated_by(&self, toleration: &Node) -> bool {
        let effect = text(toleration, "effect").unwrap_or_default();
        let key = text(toleration, "key").unwrap_or_default();
        let exists = text(toleration, "operator") == Some("Exists");
        let value = text(toleration, "value").unwrap_or_default();
        (effect.is_empty() || effect == self.effect)
            && (key == self.key || (key.is_empty() && exists))
            && (exists || value == self.value)
    }

    /// Whether NoETL's pods tolerate it: it is that of Arm nodes at cloud providers.
    fn is_of_arm(&self) -> bool {
        (self.key.as_str(), self.value.as_str()) == ("kubernetes.io/arch", "arm64")
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(formatter, "{}:{}", self.key, self.effect),
            value => write!(formatter, "{}={value}:{}", self.key, self.effect),
        }
    }
}

/// The path in a pod's spec of the node affinity that the scheduler requires.
pub(super) const REQUIRED: &str =
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

impl ClusterNode {
    /// Reads one node of `kubectl get nodes --output json`.
    fn parse(node: &Value) -> Option<Self> {
        let word = |path: &str| Some(node.pointer(path)?.as_str()?.to_owned());
        let taints = node["spec"]["taints"].as_array().into_iter().flatten();
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let labels =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Some(Self {
            name: word("/metadata/name")?,
            architecture: word("/status/nodeInfo/architecture")?,
            labels: labels.collect(),
            taints: taints.filter_map(Taint::parse).collect(),
            cordoned: node["spec"]["unschedulable"] == true,
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

/// Returns the architectures of the nodes that take NoETL's pods, sorted; of all nodes when none takes them.
pub(crate) fn architectures(nodes: &[ClusterNode]) -> Vec<String> {
    let takes = |node: &&ClusterNode| !node.cordoned && node.taints.iter().all(Taint::is_of_arm);
    let mut open: Vec<_> = nodes.iter().filter(takes).collect();
    if open.is_empty() {
        open = nodes.iter().collect();
    }
    let found: BTreeSet<_> = open.iter().map(|node| node.architecture.clone()).collect();
    found.into_iter().collect()
}

/// Returns why a node takes no pod with these tolerations; `None` when it does.
fn closed(node: &ClusterNode, pod: &Node) -> Option<String> {
    if node.cordoned {
        return Some(format!("{} is cordoned", node.name));
    }
    let tolerations = items(pod, "tolerations");
    let is_tolerated = |taint: &&Taint| tolerations.iter().any(|it| taint.is_tolerated_by(it));
    let taint = node.taints.iter().find(|taint| !is_tolerated(taint))?;
    Some(format!("{} has the taint {taint}", node.name))
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
        // A pod with `nodeName` is not scheduled, so that taints do not matter.
        let named = text(spec, "nodeName");
        let mut eligible: Vec<_> = match named {
            Some(name) => nodes.iter().filter(|node| node.name == name).collect(),
            None => nodes.iter().collect(),
        };
        eligible.retain(|node| node.is_selected(spec));
        let selected = eligible.len();
        let mut reasons = Vec::new();
        if named.is_none() {
            eligible.retain(|node| match closed(node, spec) {
                Some(reason) => {
                    reasons.push(reason);
                    false
                }
                None => true,
            });
        }
        if eligible.is_empty() && selected > 0 && !reasons.is_empty() {
            let message = format!(
                "no node takes the pod, which does not tolerate it: {}",
                reasons.join("; ")
            );
            findings.push(workload.finding(spec, "tolerations", message));
            continue;
        }
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
        assert_eq!(
            messages("", &["arm64"], &only),
            [
                "no node takes the pod, which does not tolerate it: node-0 has the taint \
              node-role.kubernetes.io/control-plane:NoSchedule"
            ]
        );
    }

    #[test]
    fn a_tainted_node_takes_the_pods_that_tolerate_it() {
        let taint = |value: &str, effect: &str| json!({"taints": [{"key": "kubernetes.io/arch", "value": value, "effect": effect}]});
        let nodes = cluster(&[
            ("amd64", json!({})),
            ("arm64", taint("arm64", "NoSchedule")),
        ]);
        assert_eq!(
            architectures(&nodes),
            ["amd64", "arm64"],
            "NoETL's pods tolerate it"
        );
        assert_eq!(messages("", &["amd64"], &nodes), [""; 0]);
        let of_arm = "can be scheduled on node-1, which is arm64, and i:1 is only for amd64";
        for (toleration, found) in [
            (
                "key: kubernetes.io/arch, operator: Equal, value: arm64, effect: NoSchedule",
                true,
            ),
            ("key: kubernetes.io/arch, value: arm64", true),
            ("key: kubernetes.io/arch, operator: Exists", true),
            ("operator: Exists", true),
            ("key: kubernetes.io/arch, value: amd64", false),
            (
                "key: kubernetes.io/arch, value: arm64, effect: NoExecute",
                false,
            ),
            ("key: other, operator: Exists", false),
        ] {
            let fields = format!("tolerations: [{{{toleration}}}],");
            let expected = if found { vec![of_arm] } else { Vec::new() };
            assert_eq!(
                messages(&fields, &["amd64"], &nodes),
                expected,
                "{toleration}"
            );
        }
        let cordoned = cluster(&[("amd64", json!({"unschedulable": true}))]);
        let text = messages("tolerations: [{operator: Exists}],", &["amd64"], &cordoned);
        assert!(text[0].ends_with("node-0 is cordoned"), "{text:?}");
        // A taint that only prefers other nodes keeps nothing off.
        let soft = cluster(&[("amd64", taint("x", "PreferNoSchedule"))]);
        assert_eq!(messages("", &["amd64"], &soft), [""; 0]);
    }
}
