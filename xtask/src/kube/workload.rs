//! The pods in Kubernetes objects of any kind.

use noetl_yaml::Node;

use crate::kube::finding::Finding;
use crate::kube::{items, text};

/// An object that contains or creates pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The path of the file as it was given.
    pub file: String,
    /// Kind, namespace if there is one, and name: `Deployment noetl/server`.
    pub object: String,
    /// The path of the pod's spec: `spec.template.spec`, after `items[2].` in a List.
    pub path: String,
    /// The pod's spec.
    pub spec: Node,
}

/// A container of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container<'a> {
    /// The workload that it belongs to.
    pub workload: &'a Workload,
    /// `containers`, `initContainers` or `ephemeralContainers`.
    list: &'static str,
    /// The position in that list, from 0.
    position: usize,
    /// The container's fields.
    pub node: &'a Node,
}

/// The lists of containers in a pod's spec, in the order in which they start.
const LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// The kinds that create pods from `spec.template.spec`.
const TEMPLATED: &[&str] = &[
    "DaemonSet",
    "Deployment",
    "Job",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// Returns the workloads of a file's documents, in order. Objects without a pod are left out.
pub(crate) fn workloads(file: &str, documents: &[Node]) -> Vec<Workload> {
    let mut found = Vec::new();
    for document in documents {
        collect(file, "", "", document, &mut found);
    }
    found
}

/// Adds the workloads of an object. `listed` is its kind when it has no `kind`: an item of a `PodList` is a `Pod`.
fn collect(file: &str, prefix: &str, listed: &str, object: &Node, found: &mut Vec<Workload>) {
    let kind = text(object, "kind").unwrap_or(listed);
    if let Some(listed) = kind.strip_suffix("List") {
        for (position, item) in items(object, "items").iter().enumerate() {
            let prefix = format!("{prefix}items[{position}].");
            collect(file, &prefix, listed, item, found);
        }
        return;
    }
    let path = match kind {
        "Pod" => "spec",
        "PodTemplate" => "template.spec",
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        kind if TEMPLATED.contains(&kind) => "spec.template.spec",
        _ => return,
    };
    let Some(spec) = object.at(path) else {
        return;
    };
    let name = text(object, "metadata.name").or(text(object, "metadata.generateName"));
    let name = name.unwrap_or("without a name");
    let namespace = text(object, "metadata.namespace").map(|it| format!("{it}/"));
    found.push(Workload {
        file: file.to_owned(),
        object: format!("{kind} {}{name}", namespace.unwrap_or_default()),
        path: format!("{prefix}{path}"),
        spec: spec.clone(),
    });
}

impl Workload {
    /// Returns all containers in the order in which they start.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container<'_>> {
        LISTS.iter().flat_map(|list| {
            let containers = items(&self.spec, list).iter().enumerate();
            containers.map(|(position, node)| Container {
                workload: self,
                list,
                position,
                node,
            })
        })
    }

    /// Returns a finding about a value whose path within the pod's spec is `field`.
    pub(crate) fn finding(&self, value: &Node, field: &str, message: String) -> Finding {
        Finding {
            file: self.file.clone(),
            line: value.line,
            object: self.object.clone(),
            field: format!("{}.{field}", self.path),
            message,
        }
    }
}

impl<'a> Container<'a> {
    /// Returns the value with the image's name.
    pub(crate) fn image(&self) -> Option<&'a Node> {
        self.node.get("image").filter(|node| node.text().is_some())
    }

    /// Returns the path of one of its fields within the pod's spec.
    pub(crate) fn field(&self, field: &str) -> String {
        format!("{}[{}].{field}", self.list, self.position)
    }

    /// Returns a finding about a value whose path within the container is `field`.
    pub(crate) fn finding(&self, value: &Node, field: &str, message: String) -> Finding {
        self.workload.finding(value, &self.field(field), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_every_kind_are_found() {
        let template =
            "template: {spec: {containers: [{image: a:1}], initContainers: [{image: b:1}]}}";
        let mut text = String::new();
        for kind in TEMPLATED {
            let metadata = "metadata: {name: x, namespace: n}";
            text += &format!("---\nkind: {kind}\n{metadata}\nspec: {{{template}}}\n");
        }
        for object in [
            &format!("kind: CronJob\nspec: {{jobTemplate: {{spec: {{{template}}}}}}}"),
            &format!("kind: PodTemplate\n{template}"),
            "kind: Pod\nspec: {ephemeralContainers: [{image: c:1}]}",
            &format!(
                "kind: List\nitems: [{{kind: Service}}, {{kind: Deployment, spec: {{{template}}}}}]"
            ),
            "kind: PodList\nitems: [{spec: {containers: [{image: e:1}]}}]",
            "kind: ConfigMap\ndata: {image: d:1}",
        ] {
            text += &format!("---\n{object}\n");
        }
        let found = workloads("f.yaml", &noetl_yaml::parse(&text).unwrap());
        assert_eq!(found.len(), TEMPLATED.len() + 5);
        assert_eq!(found[0].object, "DaemonSet n/x");
        let [.., deployment, pod] = &found[..] else {
            unreachable!()
        };
        assert_eq!(pod.object, "Pod without a name");
        assert_eq!(pod.path, "items[0].spec");
        let containers: Vec<_> = deployment.containers().collect();
        let names = containers.iter().map(|it| it.image().and_then(Node::text));
        assert_eq!(names.collect::<Vec<_>>(), [Some("b:1"), Some("a:1")]);
        let finding = containers[1].finding(&deployment.spec, "image", String::new());
        let expected = "items[1].spec.template.spec.containers[0].image";
        assert_eq!(finding.field, expected);
    }
}
