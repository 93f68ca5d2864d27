//! Whether ports lead somewhere and probes are answered: Services against the pods they select, probes against
//! the paths that `noetl` was seen to answer.

use crate::kube::finding::Finding;
use crate::kube::workload::{Container, Workload};
use noetl_yaml::{Kind, Node};

/// The fields of a container that hold probes.
const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

/// Judges the probes of containers that run NoETL; `answered` are paths below a server's root.
pub(crate) fn check_probes(workloads: &[Workload], answered: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            for probe in PROBES {
                let Some(get) = container
                    .node
                    .get(probe)
                    .and_then(|probe| probe.get("httpGet"))
                else {
                    continue;
                };
                let mut refuse = |node: &Node, field: &str, message: String| {
                    let field = container.field(workload, &format!("{probe}.httpGet.{field}"));
                    findings.push(Finding::of(workload, node, field, message));
                };
                let path = get.get("path");
                let asked = path.and_then(Node::text).unwrap_or("/");
                if is_noetl(container) && !answered.iter().any(|known| known == asked) {
                    let message = format!("noetl does not answer {asked}");
                    refuse(path.unwrap_or(get), "path", message);
                }
                if let Some(port) = get.get("port").filter(|port| !is_port_of(container, port)) {
                    let message = format!(
                        "the container has no port {}",
                        port.text().unwrap_or_default()
                    );
                    refuse(port, "port", message);
                }
            }
        }
    }
    findings
}

/// Judges each Service whose pods are in the same files: a port that none of them has answers nobody.
pub(crate) fn check_services(
    file: &str,
    documents: &[Node],
    workloads: &[Workload],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of_kind = |document: &&Node| document.get("kind").and_then(Node::text) == Some("Service");
    for service in documents.iter().filter(of_kind) {
        let name = service
            .at("metadata.name")
            .and_then(Node::text)
            .unwrap_or_default();
        let mut refuse = |node: &Node, field: String, message: String| {
            findings.push(Finding {
                file: file.to_owned(),
                line: node.line,
                object: format!("Service {name}"),
                field,
                message,
            });
        };
        let Some(selector) = service.at("spec.selector") else {
            continue;
        };
        let selected: Vec<_> = documents
            .iter()
            .filter(|document| has_labels(document, selector))
            .filter_map(|document| document.at("metadata.name").and_then(Node::text))
            .collect();
        let pods: Vec<_> = workloads
            .iter()
            .filter(|workload| {
                let name = workload.object.rsplit(['/', ' ']).next();
                selected.iter().any(|selected| Some(*selected) == name)
            })
            .collect();
        if pods.is_empty() {
            refuse(
                selector,
                "spec.selector".to_owned(),
                "selects no pods of these files".to_owned(),
            );
            continue;
        }
        let ports = service
            .at("spec.ports")
            .map(Node::items)
            .unwrap_or_default();
        for (position, item) in ports.iter().enumerate() {
            let Some(target) = item.get("targetPort").or_else(|| item.get("port")) else {
                continue;
            };
            let leads = pods
                .iter()
                .flat_map(|pod| pod.containers())
                .any(|container| is_port_of(container, target));
            if !leads {
                let message = format!(
                    "no selected pod has the port {}",
                    target.text().unwrap_or_default()
                );
                refuse(
                    target,
                    format!("spec.ports[{position}].targetPort"),
                    message,
                );
            }
        }
    }
    findings
}

/// Whether an object's pods have all labels of a selector.
fn has_labels(document: &Node, selector: &Node) -> bool {
    let labels = document.at("spec.template.metadata.labels");
    let wanted = selector.entries();
    let is_mapping = matches!(selector.kind, Kind::Mapping(_));
    is_mapping
        && wanted.iter().all(|label| {
            let found = labels.and_then(|labels| labels.get(&label.key));
            found
                .and_then(Node::text)
                .is_some_and(|found| Some(found) == label.value.text())
        })
}

/// Whether a container has this port, by number or by name.
fn is_port_of(container: Container<'_>, port: &Node) -> bool {
    let Some(wanted) = port.text() else {
        return false;
    };
    let ports = container
        .node
        .get("ports")
        .map(Node::items)
        .unwrap_or_default();
    ports.iter().any(|item| {
        ["name", "containerPort"]
            .into_iter()
            .any(|field| item.get(field).and_then(Node::text) == Some(wanted))
    })
}

fn is_noetl(container: Container<'_>) -> bool {
    container
        .image()
        .and_then(Node::text)
        .is_some_and(is_noetl_image)
}

/// Whether an image's name is that of NoETL, in whichever registry.
pub(crate) fn is_noetl_image(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    matches!(last.split(':').next(), Some("noetl" | "noetl-local-dev"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::workload::workloads;
    use noetl_yaml::parse;

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
---
kind: Service
metadata: {name: n}
spec: {selector: {app: s}, ports: [{port: 80, targetPort: http}]}
";

    fn judged(text: &str) -> Vec<String> {
        let documents = parse(text).unwrap();
        let workloads = workloads("f", &documents);
        let mut findings = check_probes(&workloads, &["/api/health".to_owned()]);
        findings.extend(check_services("f", &documents, &workloads));
        findings
            .into_iter()
            .map(|finding| {
                format!(
                    "{}: {}",
                    finding.field.rsplit("containers[0].").next().unwrap(),
                    finding.message
                )
            })
            .collect()
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert!(judged(GOOD).is_empty());
        for (from, to, finding) in [
            (
                "/api/health",
                "/healthz",
                "livenessProbe.httpGet.path: noetl does not answer /healthz",
            ),
            (
                "port: http}}",
                "port: web}}",
                "livenessProbe.httpGet.port: the container has no port web",
            ),
            (
                "targetPort: http",
                "targetPort: 8080",
                "spec.ports[0].targetPort: no selected pod has the port 8080",
            ),
            (
                "selector: {app: s}",
                "selector: {app: t}",
                "spec.selector: selects no pods of these files",
            ),
        ] {
            assert_eq!(judged(&GOOD.replace(from, to)), [finding]);
        }
        // A number is as good as a name.
        assert!(judged(&GOOD.replace("targetPort: http", "targetPort: 8082")).is_empty());
    }

    #[test]
    fn our_image_is_known_by_its_name() {
        for name in [
            "noetl",
            "noetl:1-python",
            "h:5000/x/noetl@sha256:0",
            "noetl-local-dev:latest",
        ] {
            assert!(is_noetl_image(name), "{name}");
        }
        for name in ["postgres:16", "noetl/postgres:1", "h:5000/noetl-ui"] {
            assert!(!is_noetl_image(name), "{name}");
        }
    }
}
