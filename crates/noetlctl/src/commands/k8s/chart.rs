//! The objects as a Helm chart: Helm installs, upgrades and removes them, and has nothing to choose.
//!
//! A chart's templates are text, and text is where manifests go wrong. So the objects are rendered before Helm
//! sees them; values.yaml records what from, and its schema refuses any other value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use super::objects::Object;
use super::values::Settled;
use crate::error::WithHelp as _;

/// The chart's files by their path.
pub(super) type Files = BTreeMap<String, String>;

/// The first line of our Chart.yaml, by which a folder may be replaced.
const MARK: &str = "# Written by `noetl k8s render --output helm`.\n";
const NOTES: &str = include_str!("../../../k8s/NOTES.txt");

/// The chart of these objects.
pub(super) fn files(settled: &Settled, objects: &[Object]) -> anyhow::Result<Files> {
    let values = json!({
        "namespace": settled.values.namespace,
        "image": settled.image.to_string(),
        "pythonImage": settled.python_image.to_string(),
        "secret": settled.values.secret,
    });
    let mut files = Files::from([
        (
            "Chart.yaml".to_owned(),
            format!("{MARK}{}", yaml(&chart())?),
        ),
        (
            "values.yaml".to_owned(),
            format!(
                "# A record of what the templates were rendered from.\n{}",
                yaml(&values)?
            ),
        ),
        (
            "values.schema.json".to_owned(),
            format!("{:#}\n", schema(&values)),
        ),
        ("templates/NOTES.txt".to_owned(), NOTES.to_owned()),
    ]);
    // Helm makes namespaces itself, and calls one that it did not make somebody else's.
    for object in objects.iter().filter(|object| object.kind != "Namespace") {
        let mut document = object.document.clone();
        if object.kind == "PersistentVolumeClaim" {
            document["metadata"]["annotations"] = json!({ "helm.sh/resource-policy": "keep" });
        }
        let name = format!(
            "templates/{}-{}.yaml",
            object.name,
            object.kind.to_lowercase()
        );
        files.insert(name, escape(&yaml(&document)?));
    }
    Ok(files)
}

fn chart() -> Value {
    json!({
        "apiVersion": "v2",
        "name": "noetl",
        "description": "Workflow automation from YAML playbooks: server and workers",
        "type": "application",
        "version": env!("CARGO_PKG_VERSION"),
        "appVersion": env!("CARGO_PKG_VERSION"),
        "home": env!("CARGO_PKG_HOMEPAGE"),
        "sources": [env!("CARGO_PKG_REPOSITORY")],
        // The oldest Kubernetes whose types the objects are.
        "kubeVersion": ">=1.33.0-0",
    })
}

/// Each value is the one that was rendered, so that `--set` fails instead of doing nothing.
fn schema(values: &Value) -> Value {
    let constants = values.as_object().into_iter().flatten();
    let mut properties: serde_json::Map<_, _> = constants
        .map(|(name, value)| (name.clone(), json!({ "const": value })))
        .collect();
    // Helm puts it there.
    properties.insert("global".to_owned(), json!({}));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": "this chart has nothing to set; `noetl k8s render --output helm` makes another",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn yaml(document: &Value) -> anyhow::Result<String> {
    Ok(serde_yaml_ng::to_string(document)?)
}

/// What Helm would take for a template's action stands for itself.
fn escape(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// Writes the chart in place of one that was written here before.
pub(super) fn write(folder: &Path, files: &Files) -> anyhow::Result<()> {
    let there = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if there {
        let ours =
            fs::read_to_string(folder.join("Chart.yaml")).is_ok_and(|text| text.starts_with(MARK));
        if !ours {
            return Err(anyhow!(
                "{} is there and was not written by noetl",
                folder.display()
            ))
            .help("give --chart a folder that is not there yet");
        }
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_a_value_are_no_template() {
        assert_eq!(escape("a: '{{ x }}'"), "a: '{{ \"{{\" }} x }}'");
    }

    #[test]
    fn every_value_is_fixed() {
        let schema = schema(&json!({"image": "noetl:1"}));
        assert_eq!(schema["properties"]["image"]["const"], "noetl:1");
        assert_eq!(schema["additionalProperties"], false);
    }
}
