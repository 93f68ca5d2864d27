//! The names, labels and metadata that all objects share.

use std::collections::BTreeMap;

use super::api::{ConfigMap, LabelSelector, ObjectMeta};
use crate::commands::k8s::values::schema::Values;

/// The field manager of server-side apply.
pub(in crate::commands::k8s) const MANAGER: &str = "noetl";
/// The label of every object. `remove` deletes the objects that have it.
pub(in crate::commands::k8s) const MANAGED_BY: (&str, &str) =
    ("app.kubernetes.io/managed-by", MANAGER);
/// The port that servers and Services listen on.
pub(super) const PORT: i32 = noetl_server::DEFAULT_PORT as i32;

/// Returns the metadata of an object in the namespace. `app` is the Deployment that it belongs to.
pub(super) fn metadata(values: &Values, name: &str, app: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(values.namespace.clone()),
        labels: Some(labels(app)),
        ..ObjectMeta::default()
    }
}

/// Returns the labels of an object. `app` is the Deployment that it belongs to.
pub(super) fn labels(app: Option<&str>) -> BTreeMap<String, String> {
    let mut labels = strings([
        ("app", app.unwrap_or("noetl")),
        ("app.kubernetes.io/name", "noetl"),
        ("app.kubernetes.io/part-of", "noetl"),
        MANAGED_BY,
    ]);
    if let Some(component) = app.and_then(|app| app.strip_prefix("noetl-")) {
        labels.insert(
            "app.kubernetes.io/component".to_owned(),
            component.to_owned(),
        );
    }
    labels
}

/// Selects the pods of a Deployment by their `app` label, which all versions of NoETL have used.
pub(super) fn pods_of(app: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(strings([("app", app)])),
    }
}

/// Returns the ConfigMap of a Deployment: NoETL's own settings, overridden by those of the values.
pub(super) fn config_map(
    values: &Values,
    name: &str,
    app: &str,
    mut data: BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> ConfigMap {
    data.extend(overrides.clone());
    ConfigMap {
        metadata: metadata(values, name, Some(app)),
        data,
    }
}

pub(super) fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
