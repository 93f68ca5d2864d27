//! The objects as a Helm chart, which Helm installs, upgrades and removes.
//!
//! Templates in text are error-prone, so that the objects are rendered before Helm reads them. The chart's
//! values.yaml records the values that they were rendered from, and its schema refuses any other value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::objects::Object;
use super::values::CheckedValues;

/// The files of a chart, by path.
pub(super) type Files = BTreeMap<String, String>;

/// The first line of a Chart.yaml that this command has written. Only such a folder is overwritten.
const MARK: &str = "# Written by `noetl k8s render --output helm`.\n";
const NOTES: &str = include_str!("../../../k8s/NOTES.txt");

/// Returns the files of the chart with these objects.
pub(super) fn files(checked: &CheckedValues, objects: &[Object]) -> anyhow::Result<Files> {
    let values = ChartValues {
        namespace: &checked.values.namespace,
        image: checked.image.to_string(),
        python_image: checked.python_image.to_string(),
        secret: &checked.values.secret,
    };
    let mut files = Files::from([
        (
            "Chart.yaml".to_owned(),
            format!("{MARK}{}", yaml(&Chart::of_this_version())?),
        ),
        (
            "values.yaml".to_owned(),
            format!(
                "# The values that the templates were rendered from. Changing them has no effect.\n{}",
                yaml(&values)?
            ),
        ),
        (
            "values.schema.json".to_owned(),
            format!("{}\n", serde_json::to_string_pretty(&schema(&values)?)?),
        ),
        ("templates/NOTES.txt".to_owned(), NOTES.to_owned()),
    ]);
    // Helm creates the namespace itself, and does not manage one that it has not created.
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

/// The values that the templates were rendered from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChartValues<'a> {
    namespace: &'a str,
    image: String,
    python_image: String,
    secret: &'a str,
}

/// Chart.yaml.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Chart {
    api_version: &'static str,
    name: &'static str,
    description: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    app_version: &'static str,
    home: &'static str,
    sources: [&'static str; 1],
    /// The Kubernetes version whose types the objects have.
    kube_version: &'static str,
}

impl Chart {
    fn of_this_version() -> Self {
        Self {
            api_version: "v2",
            name: "noetl",
            description: "Workflow automation from YAML playbooks: server and workers",
            kind: "application",
            version: env!("CARGO_PKG_VERSION"),
            app_version: env!("CARGO_PKG_VERSION"),
            home: env!("CARGO_PKG_HOMEPAGE"),
            sources: [env!("CARGO_PKG_REPOSITORY")],
            kube_version: ">=1.33.0-0",
        }
    }
}

/// values.schema.json.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "$schema")]
    dialect: &'static str,
    description: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Map<String, Value>,
    additional_properties: bool,
}

/// Returns a schema that accepts only the rendered values, so that `--set` fails instead of having no effect.
fn schema(values: &ChartValues<'_>) -> anyhow::Result<Schema> {
    let values = serde_json::to_value(values)?;
    let constants = values.as_object().into_iter().flatten();
    let mut properties: Map<_, _> = constants
        .map(|(name, value)| (name.clone(), json!({ "const": value })))
        .collect();
    // Helm adds this key.
    properties.insert("global".to_owned(), json!({}));
    Ok(Schema {
        dialect: "http://json-schema.org/draft-07/schema#",
        description: "the values of this chart cannot be changed; `noetl k8s render --output helm` writes a chart with others",
        kind: "object",
        properties,
        additional_properties: false,
    })
}

fn yaml(document: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_yaml_ng::to_string(document)?)
}

/// Escapes braces, which Helm would read as an action of a template.
fn escape(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// Writes the chart, and replaces one that this command has written before.
///
/// # Errors
/// Fails when the folder has other files, or cannot be written.
pub(super) fn write(folder: &Path, files: &Files) -> anyhow::Result<()> {
    let exists = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if exists {
        let is_chart =
            fs::read_to_string(folder.join("Chart.yaml")).is_ok_and(|text| text.starts_with(MARK));
        if !is_chart {
            return Err(
                anyhow!("{} exists and was not written by noetl", folder.display())
                    .help("name a folder that does not exist with --chart"),
            );
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
    fn braces_in_a_value_are_escaped() {
        assert_eq!(escape("a: '{{ x }}'"), "a: '{{ \"{{\" }} x }}'");
    }

    #[test]
    fn the_schema_accepts_the_rendered_values_alone() {
        let values = ChartValues {
            namespace: "n",
            image: "noetl:1".to_owned(),
            python_image: "noetl:1-python".to_owned(),
            secret: "s",
        };
        let schema = serde_json::to_value(schema(&values).unwrap()).unwrap();
        assert_eq!(
            schema["properties"]["pythonImage"]["const"],
            "noetl:1-python"
        );
        assert_eq!(schema["additionalProperties"], false);
    }
}
