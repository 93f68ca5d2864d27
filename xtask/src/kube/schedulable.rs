//! Whether the nodes that a pod asks for can run its images, and whether the containers would start: decided from the
//! manifests and the images' configs, without a cluster.

use std::collections::BTreeMap;

use noetl_yaml::Node;

use crate::kube::facts::{ImageFacts, PlatformFacts};
use crate::kube::finding::Finding;
use crate::kube::nodes::REQUIRED;
use crate::kube::workload::{Container, Workload};
use crate::kube::{entries, items, text};

/// The labels of nodes that contain the architecture.
const ARCH_LABELS: &[&str] = &["kubernetes.io/arch", "beta.kubernetes.io/arch"];

/// Returns the findings on each container whose image name is in `images`. `documents` contain the ConfigMaps whose
/// variables are known.
pub(crate) fn check(
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
    documents: &[Node],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in workloads.iter().flat_map(Workload::containers) {
        let name = container.image().and_then(Node::text);
        if let Some((name, facts)) = name.and_then(|name| images.get_key_value(name)) {
            let check = Check {
                container,
                name,
                facts,
                documents,
            };
            check.architecture(&mut findings);
            check.ports(&mut findings);
            check.writable(&mut findings);
        }
    }
    findings
}

/// A container with the facts about its image.
struct Check<'a> {
    container: Container<'a>,
    name: &'a str,
    facts: &'a ImageFacts,
    documents: &'a [Node],
}

impl<'a> Check<'a> {
    /// Refuses nodes of an architecture that the image is not for: they fail with "no match for platform in manifest".
    fn architecture(&self, findings: &mut Vec<Finding>) {
        let known = self.facts.architectures();
        let workload = self.container.workload;
        let mut refuse = |node: &Node, field: &str, asked: &str| {
            let (name, known) = (self.name, known.join(", "));
            let message = format!("asks for nodes of {asked}, and {name} is only for {known}");
            findings.push(workload.finding(node, field, message));
        };
        let selector = workload.spec.get("nodeSelector");
        for label in ARCH_LABELS {
            let wanted = selector.and_then(|selector| selector.get(label));
            let arch = wanted.and_then(Node::text);
            if let (Some(node), Some(arch)) = (wanted, arch.filter(|it| !known.contains(it))) {
                refuse(node, &format!("nodeSelector.{label}"), arch);
            }
        }
        for (field, expression) in affinity_expressions(&workload.spec) {
            if !text(expression, "key").is_some_and(|key| ARCH_LABELS.contains(&key)) {
                continue;
            }
            let values = items(expression, "values");
            let named: Vec<&str> = values.iter().filter_map(Node::text).collect();
            let operator = text(expression, "operator");
            for value in values.iter().filter(|_| operator == Some("In")) {
                if let Some(arch) = value.text().filter(|arch| !known.contains(arch)) {
                    refuse(value, &field, arch);
                }
            }
            if operator == Some("NotIn") && known.iter().all(|arch| named.contains(arch)) {
                let asked = format!("none of {}", named.join(", "));
                refuse(expression, &field, &asked);
            }
        }
    }

    /// Refuses ports on which the image does not listen: a Service that sends to them gets no answer.
    fn ports(&self, findings: &mut Vec<Finding>) {
        let Some(platform) = self.noetl() else {
            return;
        };
        let listens = match self.port() {
            Setting::Value(port) => vec![port],
            Setting::Unknown => return,
            Setting::Unset if platform.ports.is_empty() => return,
            Setting::Unset => platform.ports.clone(),
        };
        for (position, item) in items(self.container.node, "ports").iter().enumerate() {
            let is_tcp = text(item, "protocol").unwrap_or("TCP") == "TCP";
            let Some(node) = item.get("containerPort").filter(|_| is_tcp) else {
                continue;
            };
            let port = node.as_u64().and_then(|port| u16::try_from(port).ok());
            if !port.is_some_and(|port| listens.contains(&port)) {
                let (port, name) = (node.text().unwrap_or("nothing"), self.name);
                let listens: Vec<_> = listens.iter().map(ToString::to_string).collect();
                let message = format!("is {port}, and {name} listens on {}", listens.join(", "));
                let field = format!("ports[{position}].containerPort");
                findings.push(self.container.finding(node, &field, message));
            }
        }
    }

    /// Refuses a read-only root file system without a volume for each folder that a server writes to: it would not start.
    fn writable(&self, findings: &mut Vec<Finding>) {
        let field = "securityContext.readOnlyRootFilesystem";
        let node = self.container.node.at(field);
        let node = node.filter(|node| node.as_bool() == Some(true));
        let (Some(node), Some(platform)) = (node, self.noetl()) else {
            return;
        };
        let of_image = |name: &str| platform.env.get(name).map(String::as_str);
        let data = match self.variable("NOETL_DATA_DIR") {
            Setting::Value(folder) => Some(folder),
            Setting::Unknown => None,
            Setting::Unset => of_image("NOETL_DATA_DIR").or(match self.variable("HOME") {
                Setting::Value(home) => Some(home),
                Setting::Unknown => None,
                Setting::Unset => of_image("HOME"),
            }),
        };
        for folder in ["/tmp"].into_iter().chain(data) {
            if !self.is_mounted(folder) {
                let name = self.name;
                let message =
                    format!("is true, and nothing is mounted at {folder}, where {name} writes");
                findings.push(self.container.finding(node, field, message));
            }
        }
    }

    /// Returns the facts about the image when it is NoETL's and this container starts `noetl`.
    fn noetl(&self) -> Option<&'a PlatformFacts> {
        let program = items(self.container.node, "command").first();
        let program = program.map(|word| word.text().unwrap_or_default());
        let starts_noetl = program.is_none_or(|path| path.rsplit('/').next() == Some("noetl"));
        let platform = self.facts.platforms.first();
        platform.filter(|platform| platform.is_noetl && starts_noetl)
    }

    /// Returns the port that flags and variables set for `noetl`.
    fn port(&self) -> Setting<u16> {
        let lists = ["command", "args"].into_iter();
        let words = lists.flat_map(|list| items(self.container.node, list));
        let words: Vec<&str> = words.filter_map(Node::text).collect();
        let parse = |value: &str| value.parse().map_or(Setting::Unknown, Setting::Value);
        for (position, word) in words.iter().enumerate() {
            let value = match word.strip_prefix("--port") {
                Some("") => words.get(position + 1).copied(),
                Some(rest) => rest.strip_prefix('='),
                None => continue,
            };
            return value.map_or(Setting::Unknown, parse);
        }
        match self.variable("NOETL_PORT") {
            Setting::Value(value) => parse(value),
            Setting::Unknown => Setting::Unknown,
            Setting::Unset => Setting::Unset,
        }
    }

    /// Returns a variable of the container: of `env`, or else of the ConfigMaps in `envFrom`; the last one counts.
    fn variable(&self, name: &str) -> Setting<&'a str> {
        let mut env = items(self.container.node, "env").iter();
        let own = env.rfind(|item| text(item, "name") == Some(name));
        let mut has_unknown = false;
        let mut from_map = None;
        for source in items(self.container.node, "envFrom") {
            match self.config_map(source) {
                Some(map) => {
                    let mut data = entries(map, "data").iter();
                    let entry = data.rfind(|entry| &*entry.key == name);
                    from_map = entry.map(|entry| entry.value.text()).or(from_map);
                }
                None => has_unknown = true,
            }
        }
        match own.map(|item| text(item, "value")).or(from_map) {
            // The kubelet expands `$(OTHER)`.
            Some(Some(value)) if !value.contains("$(") => Setting::Value(value),
            Some(_) => Setting::Unknown,
            None if has_unknown => Setting::Unknown,
            None => Setting::Unset,
        }
    }

    /// Returns the ConfigMap that an item of `envFrom` names when it is in the same files.
    fn config_map(&self, source: &Node) -> Option<&'a Node> {
        let name = text(source, "configMapRef.name").filter(|_| source.get("prefix").is_none())?;
        let wanted = (Some("ConfigMap"), Some(name));
        let mut documents = self.documents.iter();
        documents.rfind(|it| (text(it, "kind"), text(it, "metadata.name")) == wanted)
    }

    /// Whether a writable volume is mounted at a folder or at one of its parents.
    fn is_mounted(&self, folder: &str) -> bool {
        let folder = folder.trim_end_matches('/');
        let mut mounts = items(self.container.node, "volumeMounts").iter();
        mounts.any(|mount| {
            let path = text(mount, "mountPath").unwrap_or_default();
            let path = path.trim_end_matches('/');
            let is_read_only = mount.get("readOnly").and_then(Node::as_bool) == Some(true);
            let rest = folder.strip_prefix(path);
            let contains = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            contains && !is_read_only && !path.is_empty()
        })
    }
}

/// What a manifest says about a setting of a container.
enum Setting<T> {
    /// Its value.
    Value(T),
    /// It is set to something that is not in the manifest, such as the value of a Secret.
    Unknown,
    /// It is not set; the image decides.
    Unset,
}

/// Returns all node affinity expressions, required and preferred, with their paths in the pod's spec.
fn affinity_expressions(spec: &Node) -> Vec<(String, &Node)> {
    const PREFERRED: &str = "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution";
    let required = items(spec, REQUIRED).iter().enumerate();
    let required = required.map(|(position, term)| (format!("{REQUIRED}[{position}]"), term));
    let preferred = items(spec, PREFERRED).iter().enumerate();
    let preferred = preferred.filter_map(|(position, item)| {
        let path = format!("{PREFERRED}[{position}].preference");
        Some((path, item.get("preference")?))
    });
    let mut expressions = Vec::new();
    for (path, term) in required.chain(preferred) {
        for (position, item) in items(term, "matchExpressions").iter().enumerate() {
            expressions.push((format!("{path}.matchExpressions[{position}]"), item));
        }
    }
    expressions
}

#[cfg(test)]
mod tests;
