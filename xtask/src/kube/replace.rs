//! Putting digests behind image names in the text of manifests, and leaving every other byte alone.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::kube::facts::ImageFacts;
use crate::kube::workload::Workload;
use noetl_yaml::{Kind, Node, Style};

/// Replaces each image of `workloads`, which were read from `text`, by the same name with its digest.
///
/// Names that have a digest already, and names that are not in `images`, stay as they are.
///
/// # Errors
/// When a name is written as a block, so that there is no one place to put a digest at.
pub(crate) fn pin(
    text: &str,
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
) -> anyhow::Result<String> {
    // By place: an anchor is one text however often it is used.
    let mut edits: BTreeMap<usize, (&Node, String)> = BTreeMap::new();
    for node in image_nodes(workloads) {
        let name = node.text().unwrap_or_default();
        let Some(facts) = images.get(name).filter(|_| !name.contains('@')) else {
            continue;
        };
        let edit = format!("{name}@{}", facts.digest);
        edits.insert(node.bytes.start, (node, edit));
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

/// The values that name images, in order.
pub(crate) fn image_nodes(workloads: &[Workload]) -> Vec<&Node> {
    let containers = workloads.iter().flat_map(Workload::containers);
    containers
        .filter_map(|container| container.image())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::workload::workloads;
    use noetl_yaml::parse;

    fn pinned(text: &str) -> anyhow::Result<String> {
        let facts = ImageFacts {
            digest: "sha256:d".to_owned(),
            platforms: Vec::new(),
        };
        let images = ["a/b:1", "c:2", "a/b:1@sha256:old"]
            .map(|name| (name.to_owned(), facts.clone()))
            .into();
        pin(text, &workloads("f", &parse(text)?), &images)
    }

    #[test]
    fn only_the_names_change() {
        let text = "# ü: keep me\r\nkind: Pod\r\nmetadata: {name: x}\r\nspec:\r\n  initContainers:\r\n  - image: &i 'a/b:1'   # why\r\n  containers: [{image: *i}, {image: \"c:2\", name: z}, {image: a/b:1}]\r\n  # end\r\n---\r\nkind: ConfigMap\r\ndata: {image: a/b:1}\r\n";
        let expected = text
            .replace("'a/b:1'", "'a/b:1@sha256:d'")
            .replace("\"c:2\"", "\"c:2@sha256:d\"")
            .replace("{image: a/b:1}]", "{image: a/b:1@sha256:d}]");
        assert_eq!(pinned(text).unwrap(), expected);
    }

    #[test]
    fn digests_and_unknown_names_stay() {
        for image in ["a/b:1@sha256:old", "other:1"] {
            let text = format!("kind: Pod\nspec:\n  containers:\n    - image: {image}\n");
            assert_eq!(pinned(&text).unwrap(), text);
        }
        let block = "kind: Pod\nspec:\n  containers:\n    - image: >-\n        a/b:1\n";
        assert!(pinned(block).unwrap_err().to_string().starts_with("line "));
    }
}
