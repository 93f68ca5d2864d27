//! Whether Services and probes reach a container: Services are compared with the pods that they select, probes with the
//! paths that `noetl` answers.

use noetl_yaml::{Entry, Kind, Node};

use crate::kube::finding::Finding;
use crate::kube::workload::{Container, Workload};
use crate::kube::{items, text};

/// Returns the findings on probes. `answered` are the paths that a server of NoETL answers.
pub(crate) fn check_probes(workloads: &[Workload], answered: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in workloads.iter().flat_map(Workload::containers) {
        let image = container.image().and_then(Node::text);
        let is_noetl = image.is_some_and(is_noetl_image);
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let Some(get) = container.node.at(&format!("{probe}.httpGet")) else {
                continue;
            };
            let mut refuse = |node: &Node, field: &str, message: String| {
                let field = format!("{probe}.httpGet.{field}");
                findings.push(container.finding(node, &field, message));
            };
            let path = text(get, "path").unwrap_or("/");
            let (route, _) = path.split_once('?').unwrap_or((path, ""));
            if is_noetl && !answered.iter().any(|answered| answered == route) {
                let node = get.get("path").unwrap_or(get);
                refuse(node, "path", format!("noetl does not answer {path}"));
            }
            if let Some(port) = get.get("port").filter(|port| !has_port(container, port)) {
                let number = port.text().unwrap_or_default();
                refuse(port, "port", format!("the container has no port {number}"));
            }
        }
    }
    findings
}

/// Returns the findings on Services, whose pods must be in the same files.
pub(crate) fn check_services(
    file: &str,
    documents: &[Node],
    workloads: &[Workload],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in documents {
        let selector = service.at("spec.selector");
        let (Some("Service"), Some(selector)) = (text(service, "kind"), selector) else {
            continue;
        };
        let name = text(service, "metadata.name").unwrap_or_default();
        let mut refuse = |node: &Node, field: &str, message: String| {
            findings.push(Finding {
                file: file.to_owned(),
                line: node.line,
                object: format!("Service {name}"),
                field: field.to_owned(),
                message,
            });
        };
        let selected = documents.iter().filter(|it| has_labels(it, selector));
        let names = selected.filter_map(|it| text(it, "metadata.name"));
        let names: Vec<_> = names.collect();
        let is_selected = |workload: &&Workload| {
            let name = workload.object.rsplit(['/', ' ']).next();
            name.is_some_and(|name| names.contains(&name))
        };
        let pods: Vec<_> = workloads.iter().filter(is_selected).collect();
        if pods.is_empty() {
            let message = "selects no pods of these files".to_owned();
            refuse(selector, "spec.selector", message);
            continue;
        }
        for (position, port) in items(service, "spec.ports").iter().enumerate() {
            let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else {
                continue;
            };
            let mut containers = pods.iter().flat_map(|pod| pod.containers());
            if !containers.any(|container| has_port(container, target)) {
                let number = target.text().unwrap_or_default();
                let message = format!("no selected pod has the port {number}");
                refuse(
                    target,
                    &format!("spec.ports[{position}].targetPort"),
                    message,
                );
            }
        }
    }
    findings
}

/// Whether the pods of an object have all labels of a selector.
fn has_labels(document: &Node, selector: &Node) -> bool {
    let labels = document.at("spec.template.metadata.labels");
    let has_label = |wanted: &Entry| {
        let found = labels.and_then(|labels| labels.get(&wanted.key)?.text());
        found.is_some() && found == wanted.value.text()
    };
    matches!(&selector.kind, Kind::Mapping(wanted) if wanted.iter().all(has_label))
}

/// Whether a container has a port with this number or name.
fn has_port(container: Container<'_>, port: &Node) -> bool {
    let is_it = |item: &Node| {
        let names = [text(item, "name"), text(item, "containerPort")];
        names.contains(&port.text())
    };
    port.text().is_some() && items(container.node, "ports").iter().any(is_it)
}

/// Whether an image name is that of NoETL, in any registry.
pub(crate) fn is_noetl_image(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    matches!(last.split(':').next(), Some("noetl" | "noetl-local-dev"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::fixtures::lines;
    use crate::kube::workload::workloads;

    const GOOD: &str = "kind: Deployment
metadata: {name: s}
spec:
  template:
    metadata: {labels: {app: s}}
    spec:
      containers:
      - image: ghcr.io/noetl/noetl:1
        ports: [{name: http, containerPort: 8082}]
        livenessProbe: {httpGet: {path: /api/health, port: http}}
        readinessProbe: {httpGet: {path: '/api/health?ready', port: 8082}}
---
kind: Service
metadata: {name: n}
spec: {selector: {app: s}, ports: [{port: 80, targetPort: http}]}
";

    fn findings(text: &str) -> Vec<String> {
        let documents = noetl_yaml::parse(text).unwrap();
        let workloads = workloads("f", &documents);
        let mut findings = check_probes(&workloads, &["/api/health".to_owned()]);
        findings.extend(check_services("f", &documents, &workloads));
        lines(&findings)
    }

    #[test]
    fn unreachable_probes_and_services_are_refused() {
        assert_eq!(findings(GOOD), [""; 0]);
        let get = "spec.template.spec.containers[0].livenessProbe.httpGet";
        let refused = |from: &str, to: &str, finding: &str| {
            assert_eq!(findings(&GOOD.replace(from, to)), [finding]);
        };
        let finding = format!("{get}.path: noetl does not answer /healthz");
        refused("/api/health,", "/healthz,", &finding);
        let finding = format!("{get}.port: the container has no port web");
        refused("port: http}", "port: web}", &finding);
        let finding = "spec.ports[0].targetPort: no selected pod has the port web";
        refused("targetPort: http", "targetPort: web", finding);
        let finding = "spec.selector: selects no pods of these files";
        refused("selector: {app: s}", "selector: {app: t}", finding);
        let number = GOOD.replace("targetPort: http", "targetPort: 8082");
        assert_eq!(findings(&number), [""; 0]);
    }

    #[test]
    fn noetl_images_are_recognised_by_name() {
        let names = "noetl noetl:1-python h:5000/x/noetl@sha256:0 noetl-local-dev:latest";
        for name in names.split(' ') {
            assert!(is_noetl_image(name), "{name}");
        }
        for name in ["postgres:16", "noetl/postgres:1", "h:5000/noetl-ui"] {
            assert!(!is_noetl_image(name), "{name}");
        }
    }
}
