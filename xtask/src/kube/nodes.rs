//! The nodes of a cluster, and whether everything that may land on them can run there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kube::facts::ImageFacts;
use crate::kube::finding::Finding;
use crate::kube::workload::Workload;
use noetl_yaml::Node;

/// A node as the scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterNode {
    /// Its name.
    pub name: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// Its labels, of which selectors speak.
    pub labels: BTreeMap<String, String>,
    /// Whether pods that tolerate nothing are kept off it.
    pub reserved: bool,
}

/// Where a pod says which nodes it must land on.
const REQUIRED: &str =
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

impl ClusterNode {
    /// Whether one of a node selector's terms holds, each of whose expressions does.
    fn fits(&self, terms: &[Node]) -> bool {
        let all = |list: Option<&Node>, holds: &dyn Fn(&Node) -> bool| {
            list.map(Node::items).unwrap_or_default().iter().all(holds)
        };
        terms.iter().any(|term| {
            all(term.get("matchExpressions"), &|it| {
                holds(it, &|key| self.labels.get(key))
            }) && all(term.get("matchFields"), &|it| {
                holds(it, &|_| Some(&self.name))
            })
        })
    }
}

/// Whether an expression holds for what `label` gives. One that cannot be read holds: it is the schema's to refuse.
fn holds<'a>(expression: &Node, label: &dyn Fn(&str) -> Option<&'a String>) -> bool {
    let word = |key: &str| expression.get(key).and_then(Node::text).unwrap_or_default();
    let found = label(word("key")).map(String::as_str);
    let values = expression.get("values").map(Node::items);
    let values: Vec<_> = values
        .unwrap_or_default()
        .iter()
        .filter_map(Node::text)
        .collect();
    let listed = found.is_some_and(|found| values.contains(&found));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let (left, right) = (number(found), number(values.first().copied()));
    match word("operator") {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => left > right && right.is_some(),
        "Lt" => left < right && left.is_some(),
        _ => true,
    }
}

/// Reads what `kubectl get nodes --output json` prints.
pub(crate) fn parse(list: &Value) -> Vec<ClusterNode> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(one).collect()
}

fn one(node: &Value) -> Option<ClusterNode> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let mut effects = taints.filter_map(|taint| taint["effect"].as_str());
    let labels = node["metadata"]["labels"].as_object();
    Some(ClusterNode {
        name: node["metadata"]["name"].as_str()?.to_owned(),
        architecture: node["status"]["nodeInfo"]["architecture"]
            .as_str()?
            .to_owned(),
        labels: labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        reserved: effects.any(|effect| effect == "NoSchedule" || effect == "NoExecute")
            || node["spec"]["unschedulable"] == true,
    })
}

/// The architectures of the nodes that take pods, sorted; of all nodes where none does.
pub(crate) fn architectures(nodes: &[ClusterNode]) -> Vec<String> {
    let mut found: Vec<_> = open(nodes)
        .into_iter()
        .map(|node| node.architecture.clone())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn open(nodes: &[ClusterNode]) -> Vec<&ClusterNode> {
    let open: Vec<_> = nodes.iter().filter(|node| !node.reserved).collect();
    if open.is_empty() {
        nodes.iter().collect()
    } else {
        open
    }
}

/// Judges each container whose image is known: no node that it may land on lacks its architecture, and
/// there is such a node.
pub(crate) fn check(
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
    nodes: &[ClusterNode],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        let selector = workload.spec.get("nodeSelector");
        let terms = workload.spec.at(REQUIRED);
        let wanted = wanted(selector);
        let eligible = match workload.spec.get("nodeName").and_then(Node::text) {
            // The scheduler is not asked, and taints do not count.
            Some(name) => nodes.iter().filter(|node| node.name == name).collect(),
            None => open(nodes),
        };
        let eligible: Vec<_> = eligible
            .into_iter()
            .filter(|node| {
                wanted.iter().all(|(label, value)| {
                    node.labels.get(*label).map(String::as_str) == Some(value)
                }) && terms.is_none_or(|terms| node.fits(terms.items()))
            })
            .collect();
        let chooser = [("nodeSelector", selector), (REQUIRED, terms)];
        let chooser = chooser
            .into_iter()
            .find_map(|(name, node)| Some((name, node?)));
        if let (true, Some((name, chooser))) = (eligible.is_empty(), chooser) {
            let field = format!("{}.{name}", workload.path);
            let message = "no node of the cluster has these labels".to_owned();
            findings.push(Finding::of(workload, chooser, field, message));
        }
        for container in workload.containers() {
            let Some((node, name)) = container
                .image()
                .and_then(|node| Some((node, node.text()?)))
            else {
                continue;
            };
            let Some(facts) = images.get(name) else {
                continue;
            };
            let has = facts.architectures();
            for lacking in eligible
                .iter()
                .filter(|node| !has.contains(&node.architecture.as_str()))
            {
                let field = container.field(workload, "image");
                let message = format!(
                    "may land on {}, which is {}, and {name} is for {} alone",
                    lacking.name,
                    lacking.architecture,
                    has.join(", ")
                );
                findings.push(Finding::of(workload, node, field, message));
            }
        }
    }
    findings
}

fn wanted(selector: Option<&Node>) -> Vec<(&str, &str)> {
    let labels = selector.map(Node::entries).unwrap_or_default();
    labels
        .iter()
        .filter_map(|label| Some((&*label.key, label.value.text()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::facts::PlatformFacts;
    use crate::kube::workload::workloads;
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

    fn judged(pod: &str, has: &[&str], nodes: &[ClusterNode]) -> Vec<String> {
        let text = format!(
            "kind: Pod\nmetadata: {{name: p}}\nspec: {{{pod} containers: [{{image: i:1}}]}}\n"
        );
        let platform = |architecture: &&str| PlatformFacts {
            architecture: (*architecture).to_owned(),
            user: "65532".to_owned(),
            ports: Vec::new(),
            env: BTreeMap::new(),
            is_noetl: true,
        };
        let facts = ImageFacts {
            digest: String::new(),
            platforms: has.iter().map(platform).collect(),
        };
        let workloads = workloads("f.yaml", &noetl_yaml::parse(&text).unwrap());
        let findings = check(
            &workloads,
            &BTreeMap::from([("i:1".to_owned(), facts)]),
            nodes,
        );
        findings
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn an_image_must_run_wherever_a_pod_may_land() {
        let mixed = cluster(&[("amd64", json!({})), ("arm64", json!({}))]);
        assert_eq!(architectures(&mixed), ["amd64", "arm64"]);
        assert!(judged("", &["amd64", "arm64"], &mixed).is_empty());
        assert_eq!(
            judged("", &["arm64"], &mixed),
            ["may land on node-0, which is amd64, and i:1 is for arm64 alone"]
        );
        // A selector that keeps it away from the others is an answer as well.
        assert!(
            judged(
                "nodeSelector: {kubernetes.io/arch: arm64},",
                &["arm64"],
                &mixed
            )
            .is_empty()
        );
        assert_eq!(
            judged("nodeSelector: {disk: ssd},", &["amd64", "arm64"], &mixed),
            ["no node of the cluster has these labels"]
        );
    }

    #[test]
    fn affinity_and_a_nodes_name_choose_as_labels_do() {
        let mixed = cluster(&[("amd64", json!({})), ("arm64", json!({}))]);
        let affinity = |expressions: &str| {
            format!(
                "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: \
                 {{nodeSelectorTerms: [{{matchExpressions: [{expressions}]}}]}}}}}},"
            )
        };
        for (expression, count) in [
            (
                "{key: kubernetes.io/arch, operator: In, values: [arm64]}",
                0,
            ),
            (
                "{key: kubernetes.io/arch, operator: NotIn, values: [amd64]}",
                0,
            ),
            ("{key: kubernetes.io/arch, operator: Exists}", 1),
            ("{key: disk, operator: DoesNotExist}", 1),
            ("{key: disk, operator: In, values: [ssd]}", 1),
            ("{key: cores, operator: Gt, values: ['1']}", 1),
        ] {
            assert_eq!(
                judged(&affinity(expression), &["arm64"], &mixed).len(),
                count,
                "{expression}"
            );
        }
        let none = affinity("{key: disk, operator: In, values: [ssd]}");
        assert_eq!(
            judged(&none, &["amd64", "arm64"], &mixed),
            ["no node of the cluster has these labels"]
        );
        assert!(judged("nodeName: node-1,", &["arm64"], &mixed).is_empty());
        assert_eq!(judged("nodeName: node-0,", &["arm64"], &mixed).len(), 1);
    }

    #[test]
    fn nodes_that_take_no_pods_do_not_count() {
        let taint = json!({"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]});
        let nodes = cluster(&[("amd64", taint.clone()), ("arm64", json!({}))]);
        assert_eq!(architectures(&nodes), ["arm64"]);
        assert!(judged("", &["arm64"], &nodes).is_empty());
        let alone = cluster(&[("amd64", taint)]);
        assert_eq!(architectures(&alone), ["amd64"], "somebody has to");
        assert_eq!(judged("", &["arm64"], &alone).len(), 1);
    }
}
