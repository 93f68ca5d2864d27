//! Adds digests to image names in the text of manifests, without changing any other byte.

use std::collections::BTreeMap;

use anyhow::ensure;
use noetl_yaml::{Kind, Node, Style};

use crate::kube::facts::ImageFacts;
use crate::kube::workload::Workload;

/// Adds its digest to each image name of `workloads`, which were read from `text`.
///
/// Names with a digest and names that are not in `images` do not change.
///
/// # Errors
/// When a name is written as a block scalar, to which no digest can be added.
pub(crate) fn pin(
    text: &str,
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
) -> anyhow::Result<String> {
    // By position: the value of an anchor is in the text once, however often it is used.
    let mut edits: BTreeMap<usize, (&Node, String)> = BTreeMap::new();
    let containers = workloads.iter().flat_map(Workload::containers);
    for node in containers.filter_map(|container| container.image()) {
        let name = node.text().unwrap_or_default();
        if let Some(facts) = images.get(name).filter(|_| !name.contains('@')) {
            let pinned = format!("{name}@{}", facts.digest);
            edits.insert(node.bytes.start, (node, pinned));
        }
    }
    let mut pinned = String::with_capacity(text.len() + edits.len() * 80);
    let mut copied = 0;
    for (node, name) in edits.into_values() {
        let written = &text[node.bytes.clone()];
        let quote = match &node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Quoted => &written[..1],
            Kind::Scalar(scalar) if scalar.style == Style::Plain && *scalar.text == *written => "",
            _ => anyhow::bail!(
                "line {}: write the image's name on one line, not as a block",
                node.line
            ),
        };
        pinned.push_str(&text[copied..node.bytes.start]);
        pinned.push_str(&format!("{quote}{name}{quote}"));
        copied = node.bytes.end;
    }
    pinned.push_str(&text[copied..]);
    ensure!(pinned.len() >= text.len(), "text was lost");
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::{fixtures, workload::workloads};

    fn pinned(text: &str) -> anyhow::Result<String> {
        let facts = &fixtures::images(&[], "")["i:1"];
        let names = ["a/b:1", "c:2", "a/b:1@sha256:old"];
        let images = names.map(|name| (name.to_owned(), facts.clone())).into();
        pin(text, &workloads("f", &noetl_yaml::parse(text)?), &images)
    }

    #[test]
    fn only_image_names_change() {
        let text = "# ü: keep me\r\nkind: Pod\r\nmetadata: {name: x}\r\nspec:\r\n  initContainers:\r\n  - image: &i 'a/b:1'   # why\r\n  containers: [{image: *i}, {image: \"c:2\", name: z}, {image: a/b:1}]\r\n  # end\r\n---\r\nkind: ConfigMap\r\ndata: {image: a/b:1}\r\n";
        let expected = text
            .replace("'a/b:1'", "'a/b:1@sha256:d'")
            .replace("\"c:2\"", "\"c:2@sha256:d\"")
            .replace("{image: a/b:1}]", "{image: a/b:1@sha256:d}]");
        assert_eq!(pinned(text).unwrap(), expected);
    }

    #[test]
    fn digests_and_unknown_names_do_not_change() {
        for image in ["a/b:1@sha256:old", "other:1"] {
            let text = format!("kind: Pod\nspec:\n  containers:\n    - image: {image}\n");
            assert_eq!(pinned(&text).unwrap(), text);
        }
        let block = "kind: Pod\nspec:\n  containers:\n    - image: >-\n        a/b:1\n";
        assert!(pinned(block).unwrap_err().to_string().starts_with("line "));
    }
}
