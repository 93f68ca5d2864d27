//! The pods that Kubernetes objects make, whatever kind of object makes them.

use noetl_yaml::Node;

/// An object with a pod in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The file it stands in, as it was named.
    pub file: String,
    /// `Deployment noetl/server`: kind, namespace when one is written, name.
    pub object: String,
    /// Where the pod's spec is: `spec.template.spec`, behind `items[2].` within a List.
    pub path: String,
    /// The pod's spec.
    pub spec: Node,
}

/// One container of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container<'a> {
    /// `containers`, `initContainers` or `ephemeralContainers`.
    pub list: &'static str,
    /// Place in that list, from 0.
    pub position: usize,
    /// What it says.
    pub node: &'a Node,
}

/// The lists of a pod's spec that hold containers.
const LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// Kinds whose pods are made from `spec.template.spec`.
const TEMPLATED: &[&str] = &[
    "DaemonSet",
    "Deployment",
    "Job",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// The workloads of one file's documents, in order; objects without a pod are left out.
pub(crate) fn workloads(file: &str, documents: &[Node]) -> Vec<Workload> {
    let mut found = Vec::new();
    for document in documents {
        collect(file, "", "", document, &mut found);
    }
    found
}

/// `listed` is the kind of an object that says none: an item of a `PodList` is a pod.
fn collect(file: &str, prefix: &str, listed: &str, object: &Node, found: &mut Vec<Workload>) {
    let kind = object
        .get("kind")
        .and_then(Node::text)
        .unwrap_or(listed)
        .to_owned();
    if let Some(listed) = kind.strip_suffix("List") {
        let items = object.get("items").map(Node::items).unwrap_or_default();
        for (position, item) in items.iter().enumerate() {
            let prefix = format!("{prefix}items[{position}].");
            collect(file, &prefix, listed, item, found);
        }
        return;
    }
    let path = match kind.as_str() {
        "Pod" => "spec",
        "PodTemplate" => "template.spec",
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        kind if TEMPLATED.contains(&kind) => "spec.template.spec",
        _ => return,
    };
    let Some(spec) = object.at(path) else {
        return;
    };
    let word = |path: &str| object.at(path).and_then(Node::text);
    let name = word("metadata.name")
        .or(word("metadata.generateName"))
        .unwrap_or("without a name");
    let namespace = word("metadata.namespace")
        .map(|namespace| format!("{namespace}/"))
        .unwrap_or_default();
    found.push(Workload {
        file: file.to_owned(),
        object: format!("{kind} {namespace}{name}"),
        path: format!("{prefix}{path}"),
        spec: spec.clone(),
    });
}

impl Workload {
    /// All containers, those that start first being first.
    pub(crate) fn containers(&self) -> Vec<Container<'_>> {
        let list = |list: &'static str| {
            let items = self.spec.get(list).map(Node::items).unwrap_or_default();
            items
                .iter()
                .enumerate()
                .map(move |(position, node)| Container {
                    list,
                    position,
                    node,
                })
        };
        LISTS.iter().copied().flat_map(list).collect()
    }
}

impl<'a> Container<'a> {
    /// The image's name as it is written.
    pub(crate) fn image(&self) -> Option<&'a Node> {
        self.node.get("image").filter(|node| node.text().is_some())
    }

    /// Where a field of it is, within its workload.
    pub(crate) fn field(&self, workload: &Workload, field: &str) -> String {
        let Self { list, position, .. } = self;
        format!("{}.{list}[{position}].{field}", workload.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noetl_yaml::parse;

    #[test]
    fn every_kind_that_makes_pods_is_looked_into() {
        let template = "{spec: {containers: [{image: a:1}], initContainers: [{image: b:1}]}}";
        let mut text = String::new();
        for kind in TEMPLATED {
            text.push_str(&format!("---\nkind: {kind}\nmetadata: {{name: x, namespace: n}}\nspec: {{template: {template}}}\n"));
        }
        text.push_str(&format!(
            "---\nkind: CronJob\nspec: {{jobTemplate: {{spec: {{template: {template}}}}}}}\n"
        ));
        text.push_str(&format!("---\nkind: PodTemplate\ntemplate: {template}\n"));
        text.push_str("---\nkind: Pod\nspec: {ephemeralContainers: [{image: c:1}]}\n");
        text.push_str(&format!(
            "---\nkind: List\nitems: [{{kind: Service}}, {{kind: Deployment, spec: {{template: {template}}}}}]\n"
        ));
        text.push_str("---\nkind: PodList\nitems: [{spec: {containers: [{image: e:1}]}}]\n");
        text.push_str("---\nkind: ConfigMap\ndata: {image: d:1}\n");
        let found = workloads("f.yaml", &parse(&text).unwrap());
        assert_eq!(found.len(), TEMPLATED.len() + 5);
        assert_eq!(found[0].object, "DaemonSet n/x");
        let listed = found.last().unwrap();
        assert_eq!(
            (&*listed.object, &*listed.path),
            ("Pod without a name", "items[0].spec")
        );
        let last = &found[found.len() - 2];
        assert_eq!(last.path, "items[1].spec.template.spec");
        let containers = last.containers();
        let names: Vec<_> = containers
            .iter()
            .map(|container| container.image().and_then(Node::text).unwrap())
            .collect();
        assert_eq!(names, ["b:1", "a:1"]);
        assert_eq!(
            containers[1].field(last, "image"),
            "items[1].spec.template.spec.containers[0].image"
        );
    }
}
