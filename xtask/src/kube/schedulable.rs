//! Whether the nodes a pod asks for can run its images, and whether they would start: decided from
//! the manifests and the images' own configs, before anything reaches a cluster.

use std::collections::BTreeMap;

use noetl_yaml::Node;

use crate::kube::facts::{ImageFacts, PlatformFacts};
use crate::kube::finding::Finding;
use crate::kube::workload::{Container, Workload};

/// Labels of nodes that hold the architecture.
const ARCH_LABELS: &[&str] = &["kubernetes.io/arch", "beta.kubernetes.io/arch"];

/// Judges each container whose image is in `images`, by the name it is written with; all findings at once.
pub(crate) fn check(workloads: &[Workload], images: &BTreeMap<String, ImageFacts>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            let Some(name) = container.image().and_then(Node::text) else {
                continue;
            };
            let Some(facts) = images.get(name) else {
                continue;
            };
            let pod = Pod {
                workload,
                container,
                name,
                facts,
            };
            pod.check_architecture(&mut findings);
            pod.check_ports(&mut findings);
            pod.check_writable(&mut findings);
        }
    }
    findings
}

/// One container in its pod, with what its image promises.
struct Pod<'a> {
    workload: &'a Workload,
    container: Container<'a>,
    name: &'a str,
    facts: &'a ImageFacts,
}

impl Pod<'_> {
    fn finding(&self, node: &Node, field: String, message: String) -> Finding {
        Finding::of(self.workload, node, field, message)
    }

    fn field(&self, field: &str) -> String {
        self.container.field(self.workload, field)
    }

    /// A node of an architecture that the index lacks says "no match for platform in manifest".
    fn check_architecture(&self, findings: &mut Vec<Finding>) {
        let known = self.facts.architectures();
        let spec = &self.workload.spec;
        let path = &self.workload.path;
        let mut refuse = |node: &Node, field: String, asked: &str| {
            let message = format!(
                "asks for nodes of {asked}, and {} is for {} alone",
                self.name,
                known.join(", ")
            );
            findings.push(self.finding(node, field, message));
        };
        for label in ARCH_LABELS {
            let wanted = spec.get("nodeSelector").and_then(|node| node.get(label));
            if let Some((node, arch)) = wanted.and_then(|node| Some((node, node.text()?)))
                && !known.contains(&arch)
            {
                refuse(node, format!("{path}.nodeSelector.{label}"), arch);
            }
        }
        for (field, expression) in affinity_expressions(spec) {
            let word = |key| expression.get(key).and_then(Node::text);
            if !word("key").is_some_and(|key| ARCH_LABELS.contains(&key)) {
                continue;
            }
            let values = expression
                .get("values")
                .map(Node::items)
                .unwrap_or_default();
            let named: Vec<&str> = values.iter().filter_map(Node::text).collect();
            let field = format!("{path}.affinity.nodeAffinity.{field}");
            if word("operator") == Some("In") {
                for value in values {
                    if let Some(arch) = value.text().filter(|arch| !known.contains(arch)) {
                        refuse(value, field.clone(), arch);
                    }
                }
            }
            let excludes_all = known.iter().all(|arch| named.contains(arch));
            if word("operator") == Some("NotIn") && excludes_all {
                refuse(expression, field, &format!("none of {}", named.join(", ")));
            }
        }
    }

    /// Refuses a port on which the image does not listen: a Service that sends to it gets no answer.
    fn check_ports(&self, findings: &mut Vec<Finding>) {
        let Some(platform) = self.noetl() else {
            return;
        };
        let listens = match self.port() {
            Port::Known(port) => vec![port],
            Port::Unknown => return,
            Port::OfTheImage if platform.ports.is_empty() => return,
            Port::OfTheImage => platform.ports.clone(),
        };
        let ports = self.container.node.get("ports");
        let items = ports.map(Node::items).unwrap_or_default();
        for (position, item) in items.iter().enumerate() {
            let tcp = item.get("protocol").and_then(Node::text).unwrap_or("TCP") == "TCP";
            let Some(node) = item.get("containerPort").filter(|_| tcp) else {
                continue;
            };
            let listened = node
                .as_u64()
                .is_some_and(|port| listens.iter().any(|known| u64::from(*known) == port));
            if !listened {
                let listens: Vec<_> = listens.iter().map(ToString::to_string).collect();
                let message = format!(
                    "is {}, and {} listens on {}",
                    node.text().unwrap_or("nothing"),
                    self.name,
                    listens.join(", ")
                );
                let field = self.field(&format!("ports[{position}].containerPort"));
                findings.push(self.finding(node, field, message));
            }
        }
    }

    /// SQLite and the log of a server that may write nowhere stop it when it starts.
    fn check_writable(&self, findings: &mut Vec<Finding>) {
        let field = "securityContext.readOnlyRootFilesystem";
        let node = self.container.node.at(field);
        let (Some(node), Some(platform)) = (node, self.noetl()) else {
            return;
        };
        if node.as_bool() != Some(true) {
            return;
        }
        let data = match self.variable("NOETL_DATA_DIR") {
            Variable::Value(folder) => Some(folder.to_owned()),
            Variable::Elsewhere => None,
            Variable::Unset => match (platform.env.get("NOETL_DATA_DIR"), self.variable("HOME")) {
                (Some(folder), _) => Some(folder.clone()),
                (None, Variable::Value(home)) => Some(home.to_owned()),
                (None, Variable::Elsewhere) => None,
                (None, Variable::Unset) => platform.env.get("HOME").cloned(),
            },
        };
        for folder in ["/tmp".to_owned()].into_iter().chain(data) {
            if !self.is_mounted(&folder) {
                let message = format!(
                    "is true, and nothing is mounted at {folder}, where {} writes",
                    self.name
                );
                findings.push(self.finding(node, self.field(field), message));
            }
        }
    }

    /// How the image runs, when it is NoETL's and this container starts `noetl`.
    fn noetl(&self) -> Option<&PlatformFacts> {
        let command = self
            .container
            .node
            .get("command")
            .map(Node::items)
            .unwrap_or_default();
        let program = command.first().map(|word| word.text().unwrap_or_default());
        let starts_noetl =
            program.is_none_or(|program| program.rsplit('/').next() == Some("noetl"));
        self.facts
            .platforms
            .first()
            .filter(|platform| platform.is_noetl && starts_noetl)
    }

    /// The port that flags and variables make `noetl` listen on.
    fn port(&self) -> Port {
        let words = ["command", "args"]
            .into_iter()
            .filter_map(|list| self.container.node.get(list))
            .flat_map(Node::items);
        let words: Vec<&str> = words.filter_map(Node::text).collect();
        for (position, word) in words.iter().enumerate() {
            let value = match word.strip_prefix("--port") {
                Some("") => words.get(position + 1).copied(),
                Some(rest) => rest.strip_prefix('='),
                None => continue,
            };
            return value
                .and_then(|value| value.parse().ok())
                .map_or(Port::Unknown, Port::Known);
        }
        match self.variable("NOETL_PORT") {
            Variable::Value(value) => value.parse().map_or(Port::Unknown, Port::Known),
            Variable::Elsewhere => Port::Unknown,
            Variable::Unset => Port::OfTheImage,
        }
    }

    fn variable(&self, name: &str) -> Variable<'_> {
        let env = self.container.node.get("env");
        let mut items = env.map(Node::items).unwrap_or_default().iter().rev();
        let item = items.find(|item| item.get("name").and_then(Node::text) == Some(name));
        let from_elsewhere = self
            .container
            .node
            .get("envFrom")
            .is_some_and(|from| !from.items().is_empty());
        match item.map(|item| item.get("value").and_then(Node::text)) {
            // `$(OTHER)` is filled in by the kubelet.
            Some(Some(value)) if !value.contains("$(") => Variable::Value(value),
            Some(_) => Variable::Elsewhere,
            None if from_elsewhere => Variable::Elsewhere,
            None => Variable::Unset,
        }
    }

    /// Whether a writable volume is mounted at a folder or above it.
    fn is_mounted(&self, folder: &str) -> bool {
        let mounts = self.container.node.get("volumeMounts");
        let mut items = mounts.map(Node::items).unwrap_or_default().iter();
        items.any(|mount| {
            let path = mount.get("mountPath").and_then(Node::text);
            let path = path.unwrap_or_default().trim_end_matches('/');
            let read_only = mount.get("readOnly").and_then(Node::as_bool) == Some(true);
            let covers = folder
                .trim_end_matches('/')
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            covers && !read_only && !path.is_empty()
        })
    }
}

/// Where `noetl` listens in a container.
enum Port {
    /// A flag or a variable says so.
    Known(u16),
    /// Something sets it that cannot be read here.
    Unknown,
    /// Nothing sets it.
    OfTheImage,
}

/// What a variable of a container is.
enum Variable<'a> {
    /// Written in the manifest.
    Value(&'a str),
    /// From a ConfigMap, a Secret or another variable.
    Elsewhere,
    /// Not set by the manifest.
    Unset,
}

/// All node affinity expressions with their paths below `nodeAffinity`; a preferred node pulls as well.
fn affinity_expressions(spec: &Node) -> Vec<(String, &Node)> {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let Some(affinity) = spec.at("affinity.nodeAffinity") else {
        return Vec::new();
    };
    let mut terms = Vec::new();
    let required = affinity
        .get(REQUIRED)
        .and_then(|node| node.get("nodeSelectorTerms"));
    for (position, term) in required
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        terms.push((format!("{REQUIRED}.nodeSelectorTerms[{position}]"), term));
    }
    let preferred = affinity.get(PREFERRED).map(Node::items).unwrap_or_default();
    for (position, item) in preferred.iter().enumerate() {
        if let Some(term) = item.get("preference") {
            terms.push((format!("{PREFERRED}[{position}].preference"), term));
        }
    }
    let mut expressions = Vec::new();
    for (path, term) in terms {
        let items = term.get("matchExpressions");
        for (position, item) in items
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            expressions.push((format!("{path}.matchExpressions[{position}]"), item));
        }
    }
    expressions
}

#[cfg(test)]
mod tests;
