//! The keys of a values file, as types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::scalar::{Scalar, texts};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Values {
    pub(crate) namespace: String,
    pub(crate) image: Option<String>,
    pub(crate) python_image: Option<String>,
    pub(crate) image_pull_policy: PullPolicy,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) secret: String,
    pub(crate) node_port: Option<i32>,
    pub(crate) database: Database,
    pub(crate) storage: Storage,
    #[serde(deserialize_with = "texts")]
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) affinity: Map<String, Json>,
    #[serde(deserialize_with = "texts")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) priority_class_name: Option<String>,
    pub(crate) pod_security_context: Map<String, Json>,
    pub(crate) security_context: Map<String, Json>,
    pub(crate) server: Server,
    pub(crate) worker: Worker,
}

/// A taint of nodes that pods tolerate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Toleration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) toleration_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Scalar>,
}

/// When a node pulls an image from the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PullPolicy {
    Always,
    #[default]
    IfNotPresent,
    Never,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Database {
    pub(crate) secret: Option<String>,
    pub(crate) key: String,
    pub(crate) port: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Storage {
    pub(crate) size: String,
    pub(crate) class_name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) replicas: i32,
    pub(crate) resources: Resources,
    #[serde(deserialize_with = "texts")]
    pub(crate) env: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Worker {
    pub(crate) replicas: i32,
    pub(crate) max_replicas: i32,
    pub(crate) cpu_percent: i32,
    pub(crate) concurrency: u32,
    pub(crate) scratch: String,
    pub(crate) resources: Resources,
    #[serde(deserialize_with = "texts")]
    pub(crate) env: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resources {
    #[serde(deserialize_with = "texts")]
    pub(crate) requests: BTreeMap<String, String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) limits: BTreeMap<String, String>,
}
