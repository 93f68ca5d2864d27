//! The Kubernetes objects of NoETL, rendered from values by a pure function.
//!
//! Names and ports are the same as in earlier versions of NoETL. No object names an architecture, since the
//! image runs on all of them.

mod access;
mod api;
mod metadata;
mod pods;
mod server;
mod worker;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::api::{Namespace, ObjectMeta, Resource, Secret};
pub(super) use self::metadata::{MANAGED_BY, MANAGER};
use self::metadata::{labels, metadata};
use super::values::CheckedValues;
use super::values::schema::Values;

/// The Deployments, in the order in which they are applied: workers register with a server.
pub(super) const DEPLOYMENTS: [&str; 2] = [server::NAME, worker::NAME];

/// One object as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) document: Value,
}

impl Object {
    fn new<T: Resource>(object: &T) -> anyhow::Result<Self> {
        let mut document = json!({"apiVersion": T::API_VERSION, "kind": T::KIND});
        if let (Value::Object(document), Value::Object(fields)) =
            (&mut document, serde_json::to_value(object)?)
        {
            document.extend(fields);
        }
        remove_nulls(&mut document);
        Ok(Self {
            kind: T::KIND,
            name: object.metadata().name.clone().unwrap_or_default(),
            document,
        })
    }

    /// Writes the object as one YAML document.
    pub(super) fn yaml(&self) -> anyhow::Result<String> {
        Ok(format!(
            "---\n{}",
            serde_yaml_ng::to_string(&self.document)?
        ))
    }
}

/// Removes the fields that have no value.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// Writes objects as a stream of YAML documents.
pub(super) fn to_yaml<'a>(objects: impl IntoIterator<Item = &'a Object>) -> anyhow::Result<String> {
    objects.into_iter().map(Object::yaml).collect()
}

/// Renders all objects, in an order in which a cluster accepts them.
///
/// # Errors
/// Fails when an object cannot be written as JSON, which is the case for no values.
pub(super) fn render(checked: &CheckedValues) -> anyhow::Result<Vec<Object>> {
    let values = &checked.values;
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
    objects.push(Object::new(&server::deployment(checked, &server_config))?);
    objects.push(Object::new(&worker::deployment(checked, &worker_config))?);
    for (name, replicas) in DEPLOYMENTS
        .into_iter()
        .zip([values.server.replicas, values.worker.replicas])
    {
        if replicas > 1 {
            objects.push(Object::new(&access::disruption_budget(values, name))?);
        }
    }
    if worker::is_autoscaled(values) {
        objects.push(Object::new(&worker::autoscaler(values))?);
    }
    Ok(objects)
}

/// Renders the Secret with these keys. It is not one of the objects that are applied with every deploy.
///
/// # Errors
/// Fails when it cannot be written as JSON, which is the case for no values.
pub(super) fn secret(values: &Values, keys: BTreeMap<String, String>) -> anyhow::Result<Object> {
    Object::new(&Secret {
        metadata: metadata(values, &values.secret, None),
        string_data: keys,
        type_: "Opaque",
    })
}

fn namespace(values: &Values) -> Namespace {
    let mut labels = labels(None);
    labels.insert("name".to_owned(), values.namespace.clone());
    // Other pods in the namespace must be restricted too.
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
    }
}

#[cfg(test)]
mod tests;
