//! Who a container runs as and what it may do: root is refused wherever it would run, the rest of the restricted
//! Pod Security Standard where a Namespace of the same files enforces it.

use std::collections::BTreeMap;

use crate::kube::facts::ImageFacts;
use crate::kube::schedulable::Finding;
use crate::kube::workload::{Container, Workload};
use noetl_yaml::Node;

/// The label of a namespace that says which standard its pods must keep.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Judges each container; where `runAsNonRoot` is true, the kubelet refuses root, and [`super::schedulable`] says so.
pub(crate) fn check(
    documents: &[Node],
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
) -> Vec<Finding> {
    let enforced = documents.iter().any(enforces);
    let mut findings = Vec::new();
    for workload in workloads {
        let mut add = |node: &Node, field: String, message: &str| {
            findings.push(Finding {
                file: workload.file.clone(),
                line: node.line,
                object: workload.object.clone(),
                field,
                message: message.to_owned(),
            });
        };
        if enforced {
            check_pod(workload, &mut add);
        }
        for container in workload.containers() {
            let security = Security::of(workload, container);
            security.check_root(images, &mut add);
            if enforced {
                security.check_standard(&mut add);
            }
        }
    }
    findings
}

fn enforces(document: &Node) -> bool {
    let word = |node: &Node| node.text().map(str::to_owned);
    let labels = document.at("metadata.labels");
    document.get("kind").and_then(word).as_deref() == Some("Namespace")
        && labels
            .and_then(|labels| labels.get(ENFORCE))
            .and_then(word)
            .as_deref()
            == Some("restricted")
}

fn check_pod(workload: &Workload, add: &mut impl FnMut(&Node, String, &str)) {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if let Some(node) = workload.spec.get(field).filter(|node| is_true(node)) {
            let field = format!("{}.{field}", workload.path);
            add(
                node,
                field,
                "is the node's own, which the restricted standard refuses",
            );
        }
    }
    let volumes = workload.spec.get("volumes");
    let volumes = volumes.map(Node::items).unwrap_or_default();
    for (position, volume) in volumes.iter().enumerate() {
        if let Some(node) = volume.get("hostPath") {
            let field = format!("{}.volumes[{position}].hostPath", workload.path);
            add(
                node,
                field,
                "is the node's own, which the restricted standard refuses",
            );
        }
    }
}

fn is_true(node: &Node) -> bool {
    node.boolean() == Some(true)
}

/// A container with what it and its pod say on security; the container's word counts more.
struct Security<'a> {
    workload: &'a Workload,
    container: Container<'a>,
}

impl<'a> Security<'a> {
    fn of(workload: &'a Workload, container: Container<'a>) -> Self {
        Self {
            workload,
            container,
        }
    }

    /// A setting of the container's alone.
    fn own(&self, name: &str) -> Option<&'a Node> {
        self.container.node.get("securityContext")?.get(name)
    }

    /// A setting of the container's, or else of its pod's, with its path.
    fn setting(&self, name: &str) -> Option<(&Node, String)> {
        let own = self.own(name);
        let of_pod = || self.workload.spec.get("securityContext")?.get(name);
        let field = format!("securityContext.{name}");
        own.map(|node| (node, self.field(&field)))
            .or_else(|| of_pod().map(|node| (node, format!("{}.{field}", self.workload.path))))
    }

    fn field(&self, field: &str) -> String {
        self.container.field(self.workload, field)
    }

    fn check_root(
        &self,
        images: &BTreeMap<String, ImageFacts>,
        add: &mut impl FnMut(&Node, String, &str),
    ) {
        let guarded = self.setting("runAsNonRoot");
        if guarded.is_some_and(|(node, _)| is_true(node)) {
            return;
        }
        if let Some((user, field)) = self.setting("runAsUser") {
            if user.number() == Some(0) {
                add(user, field, "is root");
            }
            return;
        }
        let image = self.container.image();
        let name = image.and_then(Node::text).unwrap_or_default();
        let (Some(node), Some(facts)) = (image, images.get(name)) else {
            return;
        };
        let is_root = |user: &str| matches!(user.split(':').next(), Some("" | "0" | "root"));
        if facts.platforms.iter().any(|it| is_root(&it.user)) {
            let message = format!("{name} runs as root; give a runAsUser");
            add(node, self.field("image"), &message);
        }
    }

    /// The restricted standard's fields of a container, as Kubernetes' documentation lists them.
    fn check_standard(&self, add: &mut impl FnMut(&Node, String, &str)) {
        let whole = self.container.node;
        if !self
            .setting("runAsNonRoot")
            .is_some_and(|(node, _)| is_true(node))
        {
            let node = self.setting("runAsNonRoot").map_or(whole, |(node, _)| node);
            let field = self.field("securityContext.runAsNonRoot");
            add(
                node,
                field,
                "is not true, which the restricted standard wants",
            );
        }
        let escalation = self.own("allowPrivilegeEscalation");
        if escalation.and_then(Node::boolean) != Some(false) {
            let field = self.field("securityContext.allowPrivilegeEscalation");
            add(
                escalation.unwrap_or(whole),
                field,
                "is not false, which the restricted standard wants",
            );
        }
        if let Some(node) = self.own("privileged").filter(|node| is_true(node)) {
            let field = self.field("securityContext.privileged");
            add(
                node,
                field,
                "is true, which the restricted standard refuses",
            );
        }
        let capabilities = self.own("capabilities");
        let listed = |list: &str| {
            let items = capabilities
                .and_then(|node| node.get(list))
                .map(Node::items);
            items
                .unwrap_or_default()
                .iter()
                .filter_map(Node::text)
                .collect::<Vec<_>>()
        };
        if !listed("drop").contains(&"ALL") {
            let field = self.field("securityContext.capabilities.drop");
            add(
                capabilities.unwrap_or(whole),
                field,
                "lacks ALL, which the restricted standard wants",
            );
        }
        if let Some(extra) = listed("add")
            .iter()
            .find(|name| **name != "NET_BIND_SERVICE")
        {
            let field = self.field("securityContext.capabilities.add");
            let message = format!("has {extra}, which the restricted standard refuses");
            add(capabilities.unwrap_or(whole), field, &message);
        }
        let seccomp = self.setting("seccompProfile");
        let kind = seccomp
            .as_ref()
            .and_then(|(node, _)| node.get("type")?.text());
        if !matches!(kind, Some("RuntimeDefault" | "Localhost")) {
            let field = self.field("securityContext.seccompProfile.type");
            let node = seccomp.as_ref().map_or(whole, |(node, _)| node);
            add(
                node,
                field,
                "is not RuntimeDefault, which the restricted standard wants",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::facts::PlatformFacts;
    use crate::kube::workload::workloads;

    const GOOD: &str = "runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, \
                        seccompProfile: {type: RuntimeDefault}";

    fn judged(namespace: &str, pod: &str, context: &str, user: &str) -> Vec<String> {
        let text = format!(
            "kind: Namespace\nmetadata: {{labels: {{{ENFORCE}: {namespace}}}}}\n---\nkind: Pod\nspec: {{{pod} \
             containers: [{{image: i:1, securityContext: {{{context}}}}}]}}\n"
        );
        let platform = PlatformFacts {
            architecture: "amd64".to_owned(),
            user: user.to_owned(),
            ports: Vec::new(),
            env: BTreeMap::new(),
            is_noetl: true,
        };
        let facts = ImageFacts {
            digest: String::new(),
            platforms: vec![platform],
        };
        let documents = noetl_yaml::parse(&text).unwrap();
        let workloads = workloads("f.yaml", &documents);
        let findings = check(
            &documents,
            &workloads,
            &BTreeMap::from([("i:1".to_owned(), facts)]),
        );
        let paths = findings.into_iter().map(|finding| finding.field);
        paths
            .map(|path| path.rsplit('.').next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn root_is_refused_wherever_it_would_run() {
        assert_eq!(
            judged("baseline", "", "runAsUser: 0", "65532"),
            ["runAsUser"]
        );
        assert_eq!(
            judged("baseline", "securityContext: {runAsUser: 0},", "", "65532"),
            ["runAsUser"]
        );
        for root in ["", "0:0", "root"] {
            assert_eq!(judged("baseline", "", "", root), ["image"], "{root}");
        }
        assert_eq!(judged("baseline", "", "", "65532:65532"), [""; 0]);
        assert_eq!(judged("baseline", "", "runAsUser: 1", "0"), [""; 0]);
    }

    #[test]
    fn what_a_restricted_namespace_refuses_is_refused_by_name() {
        assert_eq!(judged("restricted", "", GOOD, "65532"), [""; 0]);
        assert_eq!(
            judged("baseline", "hostNetwork: true,", "", "65532"),
            [""; 0]
        );
        for (from, to, field) in [
            ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
            ("runAsNonRoot: true,", "", "runAsNonRoot"),
            (
                "allowPrivilegeEscalation: false",
                "allowPrivilegeEscalation: true",
                "allowPrivilegeEscalation",
            ),
            (
                "allowPrivilegeEscalation: false,",
                "",
                "allowPrivilegeEscalation",
            ),
            ("drop: [ALL]", "drop: [NET_RAW]", "drop"),
            ("drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]", "add"),
            ("RuntimeDefault", "Unconfined", "type"),
            (
                "runAsNonRoot: true",
                "runAsNonRoot: true, privileged: true",
                "privileged",
            ),
        ] {
            assert_eq!(
                judged("restricted", "", &GOOD.replace(from, to), "65532"),
                [field],
                "{to}"
            );
        }
        for (pod, field) in [
            ("hostNetwork: true,", "hostNetwork"),
            ("volumes: [{name: v, hostPath: {path: /}}],", "hostPath"),
        ] {
            assert_eq!(judged("restricted", pod, GOOD, "65532"), [field]);
        }
    }
}
