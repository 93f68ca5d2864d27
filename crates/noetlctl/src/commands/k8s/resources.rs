//! The parts of Kubernetes' objects that commands read from kubectl's JSON.
//!
//! These are not the types of `k8s-openapi`: reading every field of a pod would add 1.4 MB to the binary. Fields
//! that are missing are empty, and fields that are not listed here are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A list of objects.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

/// What all objects have.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    /// Counts the changes of an object.
    pub(super) generation: Option<u64>,
    pub(super) deletion_timestamp: Option<String>,
}

/// Any object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object {
    pub(super) metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Secret {
    /// The values, in base64.
    #[serde(deserialize_with = "or_default")]
    pub(super) data: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    pub(super) metadata: Metadata,
    pub(super) spec: DeploymentSpec,
    pub(super) status: DeploymentStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeploymentSpec {
    pub(super) replicas: Option<u32>,
    pub(super) template: PodTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    pub(super) available_replicas: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodTemplate {
    pub(super) spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
    pub(super) status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) image: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub(super) phase: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    pub(super) container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `True`, `False` or `Unknown`.
    pub(super) status: String,
    pub(super) message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) restart_count: u32,
    pub(super) state: ContainerState,
    pub(super) last_state: ContainerState,
}

/// The state of a container: it waits, or has ended, or runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Reason>,
    pub(super) terminated: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) metadata: Metadata,
    pub(super) status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeStatus {
    pub(super) node_info: NodeInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeInfo {
    /// Such as `amd64` or `arm64`.
    pub(super) architecture: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) involved_object: Metadata,
}

/// Reads null as the default.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl PodSpec {
    /// Returns the image of the first container.
    pub(super) fn image(&self) -> Option<&str> {
        self.containers.first()?.image.as_deref()
    }
}

impl Pod {
    /// Returns the status of the first container.
    pub(super) fn container(&self) -> Option<&ContainerStatus> {
        self.status.container_statuses.first()
    }

    /// Returns the state of the pod in one word, as `kubectl get pods` prints it: the reason why its container
    /// waits or has ended, else its phase.
    pub(super) fn state(&self) -> &str {
        if self.metadata.deletion_timestamp.is_some() {
            return "Terminating";
        }
        let state = self.container().map(|container| &container.state);
        let reasons = state.into_iter().flat_map(ContainerState::reasons);
        reasons
            .filter_map(|reason| reason.reason.as_deref())
            .next()
            .or(self.status.phase.as_deref())
            .unwrap_or("Unknown")
    }

    /// Whether the pod is ready.
    pub(super) fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|condition| condition.kind == "Ready" && condition.status == "True")
    }
}

impl ContainerState {
    /// Returns the reasons why the container waits or has ended.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.waiting.iter().chain(&self.terminated)
    }
}

/// Returns the architecture of each node.
pub(super) fn architectures(nodes: Vec<Node>) -> BTreeMap<String, String> {
    let architecture = |node: Node| Some((node.metadata.name, node.status.node_info.architecture?));
    nodes.into_iter().filter_map(architecture).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(document: Value) -> Pod {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn missing_and_null_fields_are_empty() {
        for empty in [
            json!({}),
            json!({"spec": {"containers": null}, "status": {"conditions": null, "containerStatuses": null}}),
        ] {
            let pod = pod(empty);
            assert_eq!((pod.state(), pod.is_ready()), ("Unknown", false));
            assert_eq!(pod.spec.image(), None);
        }
        let secret: Secret = serde_json::from_value(json!({"data": null})).unwrap();
        assert!(secret.data.is_empty());
    }

    #[test]
    fn the_state_of_a_pod_is_the_reason_of_its_container() {
        let with_state = |state: Value| {
            pod(json!({"status": {"phase": "Running", "containerStatuses": [{"state": state}]}}))
        };
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(with_state(waiting).state(), "CrashLoopBackOff");
        let ended = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
        assert_eq!(with_state(ended).state(), "OOMKilled");
        let running = json!({"running": {"startedAt": "2026-11-23T12:00:00Z"}});
        assert_eq!(with_state(running).state(), "Running");
        let deleted = pod(json!({"metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}}));
        assert_eq!(deleted.state(), "Terminating");
    }
}
