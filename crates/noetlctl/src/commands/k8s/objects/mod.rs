//! The objects that NoETL consists of in a cluster: a pure function from values to typed objects.
//!
//! Names and ports are those that NoETL people know. No object names an architecture: the image is for all.

mod access;
mod pods;
mod server;
mod worker;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::{Metadata, Resource};
use serde::Serialize;
use serde_json::Value;

use super::values::{Settled, Values};

/// What deploy applies objects as, and the label by which remove finds them.
pub(super) const MANAGER: &str = "noetl";
/// The label of everything that is rendered.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", MANAGER);
/// The Deployments, in the order they are brought up: workers register with a server.
pub(super) const DEPLOYMENTS: [&str; 2] = [server::NAME, worker::NAME];
/// The port that servers listen on, and both Services.
const PORT: i32 = noetl_server::DEFAULT_PORT as i32;

/// One object, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) document: Value,
}

impl Object {
    fn new<T>(object: &T) -> anyhow::Result<Self>
    where
        T: Resource + Metadata<Ty = ObjectMeta> + Serialize,
    {
        Ok(Self {
            kind: T::KIND,
            name: object.metadata().name.clone().unwrap_or_default(),
            document: serde_json::to_value(object)?,
        })
    }

    /// The object as one YAML document.
    pub(super) fn yaml(&self) -> anyhow::Result<String> {
        Ok(format!(
            "---\n{}",
            serde_yaml_ng::to_string(&self.document)?
        ))
    }
}

/// Several objects as one stream of YAML documents.
pub(super) fn stream<'a>(objects: impl IntoIterator<Item = &'a Object>) -> anyhow::Result<String> {
    objects.into_iter().map(Object::yaml).collect()
}

/// Every object, in the order in which a cluster can take them.
///
/// # Errors
/// When an object cannot be written as JSON, which no values bring about.
pub(super) fn render(settled: &Settled) -> anyhow::Result<Vec<Object>> {
    let values = &settled.values;
    let mut objects = vec![Object::new(&namespace(values))?];
    for name in DEPLOYMENTS {
        objects.push(Object::new(&access::service_account(values, name))?);
    }
    objects.push(Object::new(&access::role(values))?);
    objects.push(Object::new(&access::role_binding(values))?);
    let (server_config, worker_config) = (server::config(values), worker::config(values));
    objects.push(Object::new(&server_config)?);
    objects.push(Object::new(&worker_config)?);
    if values.database.secret.is_none() {
        objects.push(Object::new(&server::volume_claim(values))?);
    }
    objects.push(Object::new(&server::service(values))?);
    if let Some(port) = values.node_port {
        objects.push(Object::new(&server::node_port(values, port))?);
    }
    objects.push(Object::new(&access::server_policy(values))?);
    objects.push(Object::new(&access::worker_policy(values))?);
    objects.push(Object::new(&server::deployment(settled, &server_config))?);
    objects.push(Object::new(&worker::deployment(settled, &worker_config))?);
    for (name, replicas) in DEPLOYMENTS
        .into_iter()
        .zip([values.server.replicas, values.worker.replicas])
    {
        if replicas > 1 {
            objects.push(Object::new(&access::disruption_budget(values, name))?);
        }
    }
    if worker::scales(values) {
        objects.push(Object::new(&worker::autoscaler(values))?);
    }
    Ok(objects)
}

fn namespace(values: &Values) -> Namespace {
    let mut labels = labels(None);
    labels.insert("name".to_owned(), values.namespace.clone());
    // Whatever is put beside NoETL has to be as harmless as NoETL is.
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(
            format!("pod-security.kubernetes.io/{mode}"),
            "restricted".to_owned(),
        );
    }
    Namespace {
        metadata: ObjectMeta {
            name: Some(values.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// The metadata of an object in the namespace; `app` is the Deployment that it belongs to.
fn metadata(values: &Values, name: &str, app: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(values.namespace.clone()),
        labels: Some(labels(app)),
        ..ObjectMeta::default()
    }
}

fn labels(app: Option<&str>) -> BTreeMap<String, String> {
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

/// The pods of a Deployment, by the label that they have always had.
fn pods_of(app: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(strings([("app", app)])),
        ..LabelSelector::default()
    }
}

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Settings of a pod: what NoETL sets, and over it what the values say.
fn config_map(
    values: &Values,
    name: &str,
    app: &str,
    data: BTreeMap<String, String>,
    over: &BTreeMap<String, String>,
) -> ConfigMap {
    let mut data = data;
    data.extend(over.clone());
    ConfigMap {
        metadata: metadata(values, name, Some(app)),
        data: Some(data),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests;
