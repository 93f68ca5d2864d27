//! ConfigMaps that containers take variables from, when both stand in the same files: what `envFrom` says
//! by reference is said by value, so that ports and folders can be judged.

use std::collections::BTreeMap;

use noetl_yaml::{Entry, Kind, Node, Scalar, Style};

use crate::kube::workload::Workload;

/// The workloads with every known ConfigMap's variables before a container's own, which win.
/// A ConfigMap that is not here stays a reference.
pub(crate) fn inline(workloads: &[Workload], documents: &[Node]) -> Vec<Workload> {
    let maps = config_maps(documents);
    let mut workloads = workloads.to_vec();
    for workload in &mut workloads {
        let Kind::Mapping(spec) = &mut workload.spec.kind else {
            continue;
        };
        let lists = spec
            .iter_mut()
            .filter(|entry| entry.key.ends_with("ontainers"));
        for list in lists {
            if let Kind::Sequence(containers) = &mut list.value.kind {
                containers
                    .iter_mut()
                    .for_each(|container| inline_container(container, &maps));
            }
        }
    }
    workloads
}

fn config_maps(documents: &[Node]) -> BTreeMap<&str, &[Entry]> {
    let mut maps = BTreeMap::new();
    for document in documents {
        let is_one = document.get("kind").and_then(Node::text) == Some("ConfigMap");
        let name = document.at("metadata.name").and_then(Node::text);
        if let (true, Some(name)) = (is_one, name) {
            let data = document.get("data").map(Node::entries);
            maps.insert(name, data.unwrap_or_default());
        }
    }
    maps
}

fn inline_container(container: &mut Node, maps: &BTreeMap<&str, &[Entry]>) {
    let (line, column, bytes) = (container.line, container.column, container.bytes.clone());
    let Kind::Mapping(fields) = &mut container.kind else {
        return;
    };
    let mut variables = Vec::new();
    for from in fields.iter_mut().filter(|field| &*field.key == "envFrom") {
        if let Kind::Sequence(items) = &mut from.value.kind {
            items.retain(|item| {
                let name = item.at("configMapRef.name").and_then(Node::text);
                let known = name.filter(|_| item.get("prefix").is_none());
                let Some(map) = known.and_then(|name| maps.get(name)) else {
                    return true;
                };
                variables.extend(map.iter().map(variable));
                false
            });
        }
    }
    if variables.is_empty() {
        return;
    }
    match fields.iter_mut().find(|field| &*field.key == "env") {
        Some(own) => {
            if let Kind::Sequence(items) = &mut own.value.kind {
                items.splice(0..0, variables);
            }
        }
        None => {
            let kind = Kind::Sequence(variables);
            fields.push(entry(
                "env",
                Node {
                    kind,
                    line,
                    column,
                    bytes,
                },
            ));
        }
    }
}

/// `{name: …, value: …}`, at the place of the value.
fn variable(entry_of_map: &Entry) -> Node {
    let value = &entry_of_map.value;
    let name = Scalar {
        text: entry_of_map.key.clone(),
        style: Style::Quoted,
        string_tag: false,
    };
    let name = Node {
        kind: Kind::Scalar(name),
        ..value.clone()
    };
    let entries = vec![entry("name", name), entry("value", value.clone())];
    Node {
        kind: Kind::Mapping(entries),
        ..value.clone()
    }
}

/// An entry with its key at the place of its value.
fn entry(key: &str, value: Node) -> Entry {
    Entry {
        key: key.into(),
        line: value.line,
        column: value.column,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::workload::workloads;
    use noetl_yaml::parse;

    #[test]
    fn a_known_config_map_is_said_by_value() {
        let text = "kind: ConfigMap\nmetadata: {name: here}\ndata: {A: '1', B: '2'}\n---\nkind: Pod\nspec:\n  \
            containers:\n  - envFrom: [{configMapRef: {name: here}}, {configMapRef: {name: elsewhere}}]\n    \
            env: [{name: B, value: '3'}]\n";
        let documents = parse(text).unwrap();
        let inlined = inline(&workloads("f", &documents), &documents);
        let container = inlined[0].containers()[0].node;
        let env = container.get("env").map(Node::items).unwrap();
        let variables: Vec<_> = env
            .iter()
            .map(|item| ["name", "value"].map(|key| item.get(key).and_then(Node::text).unwrap()))
            .collect();
        assert_eq!(variables, [["A", "1"], ["B", "2"], ["B", "3"]]);
        assert_eq!(env[0].line, 3, "where it is written");
        let left = container.get("envFrom").map(Node::items).unwrap();
        assert_eq!(left.len(), 1, "what is not here stays unknown");
    }
}
