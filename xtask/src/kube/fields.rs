//! What a Kubernetes API server refuses and no schema says: names, quantities, counts, selectors.

use crate::kube::schedulable::Finding;
use noetl_yaml::{Kind, Node};

/// Kinds whose selector must choose the pods of their own template.
const SELECTING: &[&str] = &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"];

/// Maps whose values are quantities, or maps of them.
const QUANTITIES: &[&str] = &["limits", "requests"];

/// Judges every document of a file; one that holds none is a mistake as well.
pub(crate) fn check(file: &str, documents: &[Node]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let kinds = documents.iter().filter(|it| it.get("kind").is_some());
    if kinds.count() == 0 {
        findings.push(Finding {
            file: file.to_owned(),
            line: 1,
            object: "file".to_owned(),
            field: "kind".to_owned(),
            message: "there is no Kubernetes object in it".to_owned(),
        });
    }
    for document in documents {
        let word = |path: &str| document.at(path).and_then(Node::text).unwrap_or_default();
        let (kind, name) = (word("kind"), word("metadata.name"));
        let mut add = |node: &Node, field: &str, message: String| {
            findings.push(Finding {
                file: file.to_owned(),
                line: node.line,
                object: format!("{kind} {name}"),
                field: field.to_owned(),
                message,
            });
        };
        if let Some(node) = document
            .at("metadata.name")
            .filter(|_| !is_name(kind, name))
        {
            add(
                node,
                "metadata.name",
                format!("`{name}` is no name in Kubernetes"),
            );
        }
        if let Some(node) = document
            .at("spec.replicas")
            .filter(|node| is_negative(node))
        {
            add(node, "spec.replicas", "is less than none".to_owned());
        }
        if SELECTING.contains(&kind)
            && let Some((node, label)) = unselected(document)
        {
            let message = format!("{label} is not so in the template's labels");
            add(node, "spec.selector.matchLabels", message);
        }
        quantities(document, "", &mut |node, path, text| {
            if !is_quantity(text) {
                add(
                    node,
                    path,
                    format!("`{text}` is no quantity, such as 100m, 128Mi or 1Gi"),
                );
            }
        });
    }
    findings
}

/// Names are DNS subdomains (RFC 1123), those of namespaces and Services labels; RBAC's may be anything in a path.
fn is_name(kind: &str, name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |part: &str| {
        !part.is_empty()
            && part.bytes().all(plain)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    match kind {
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => {
            !name.is_empty() && !name.contains(['/', '%'])
        }
        "Namespace" | "Service" => label(name) && name.len() <= 63,
        _ => name.split('.').all(label) && name.len() <= 253,
    }
}

fn is_negative(node: &Node) -> bool {
    node.text().is_some_and(|text| text.starts_with('-'))
}

/// A label that the selector asks for and the template does not have.
fn unselected(document: &Node) -> Option<(&Node, String)> {
    let wanted = document.at("spec.selector.matchLabels")?;
    let labels = document.at("spec.template.metadata.labels");
    let Kind::Mapping(entries) = &wanted.kind else {
        return None;
    };
    let differs = |(key, value): &&(String, Node)| {
        labels
            .and_then(|labels| labels.get(key))
            .and_then(Node::text)
            != value.text()
    };
    let (key, value) = entries.iter().find(differs)?;
    Some((
        value,
        format!("{key}: {}", value.text().unwrap_or_default()),
    ))
}

/// Hands over each quantity below a node, with its path.
fn quantities(node: &Node, path: &str, take: &mut impl FnMut(&Node, &str, &str)) {
    for (position, item) in node.items().iter().enumerate() {
        quantities(item, &format!("{path}[{position}]"), take);
    }
    let Kind::Mapping(entries) = &node.kind else {
        return;
    };
    for (key, value) in entries {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let is_map = QUANTITIES.contains(&key.as_str()) && path.contains("resources.");
        if let (true, Kind::Mapping(entries)) = (is_map, &value.kind) {
            for (name, value) in entries {
                if let Some(text) = value.text() {
                    take(value, &format!("{path}.{name}"), text);
                }
            }
        } else if let (true, Some(text)) = (path.ends_with("emptyDir.sizeLimit"), value.text()) {
            take(value, &path, text);
        } else {
            quantities(value, &path, take);
        }
    }
}

/// A number with a suffix of resource.Quantity: `m`, `Ki`, `M`, `e3`.
fn is_quantity(text: &str) -> bool {
    let digits = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let (number, suffix) = text.split_at(digits);
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
    let known = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    number.parse::<f64>().is_ok()
        && (known.contains(&suffix) || exponent.is_some_and(|rest| rest.parse::<u8>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Vec<String> {
        let findings = check("f.yaml", &noetl_yaml::parse(text).unwrap());
        let shown = findings.into_iter();
        shown
            .map(|it| format!("{}: {}: {}", it.line, it.field, it.message))
            .collect()
    }

    #[test]
    fn what_no_schema_says_is_said_here() {
        let good = "kind: Deployment\nmetadata: {name: my.app-1}\nspec:\n  replicas: 2\n  selector: {matchLabels: {a: b}}\n  \
                    template:\n    metadata: {labels: {a: b, c: d}}\n    spec:\n      containers:\n      - resources: \
                    {requests: {memory: 128Mi, cpu: 0.5}, limits: {memory: 1e9}}\n";
        assert_eq!(judged(good), [""; 0]);
        for (from, to, expected) in [
            (
                "my.app-1",
                "Bad_Name",
                "2: metadata.name: `Bad_Name` is no name in Kubernetes",
            ),
            (
                "replicas: 2",
                "replicas: -1",
                "4: spec.replicas: is less than none",
            ),
            (
                "{a: b, c",
                "{a: x, c",
                "5: spec.selector.matchLabels: a: b is not so in the template's labels",
            ),
            (
                "128Mi",
                "128MiB",
                "10: spec.template.spec.containers[0].resources.requests.memory: `128MiB` is no quantity, such as 100m, 128Mi or 1Gi",
            ),
        ] {
            assert_eq!(judged(&good.replace(from, to)), [expected]);
        }
        for (quantity, fine) in [
            ("1Gi", true),
            ("1gb", false),
            ("", false),
            ("-1Gi", false),
            ("100m", true),
            ("abc", false),
        ] {
            assert_eq!(is_quantity(quantity), fine, "{quantity}");
        }
        assert_eq!(judged("").len(), 1);
        assert_eq!(
            judged("kind: ClusterRole\nmetadata: {name: 'system:node'}\n"),
            [""; 0]
        );
    }
}
