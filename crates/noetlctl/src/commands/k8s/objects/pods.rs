//! What all pods of NoETL have in common: restricted rights, a read-only file system, one container.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::api::{
    ConfigMap, ConfigMapEnvSource, Container, Deployment, DeploymentSpec, DeploymentStrategy,
    EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource, LocalObjectReference, ObjectMeta,
    PersistentVolumeClaimVolumeSource, PodSpec, PodTemplateSpec, ResourceRequirements,
    SecretKeySelector, TopologySpreadConstraint, Volume, VolumeMount,
};
use super::metadata::{labels, metadata, pods_of};
use crate::commands::k8s::values::check::{is_of_containers, is_of_pods};
use crate::commands::k8s::values::schema::{PullPolicy, Resources, Values};
use noetl_oci::ImageName;

/// The image's user and group. A number, since a node cannot check that a name is not root.
const USER: i64 = 65532;

/// The parts in which Deployments differ.
pub(super) struct Workload<'a> {
    pub(super) name: &'static str,
    pub(super) replicas: Option<i32>,
    pub(super) strategy: DeploymentStrategy,
    pub(super) min_ready_seconds: Option<i32>,
    pub(super) image: &'a ImageName,
    pub(super) config: &'a ConfigMap,
    pub(super) resources: &'a Resources,
    pub(super) container: Container,
    pub(super) volumes: Vec<Volume>,
}

/// Returns the Deployment of a container.
pub(super) fn deployment(values: &Values, workload: Workload<'_>) -> Deployment {
    let app = workload.name;
    let container = Container {
        name: app.to_owned(),
        image: workload.image.to_string(),
        image_pull_policy: pull_policy(values.image_pull_policy),
        env_from: vec![EnvFromSource {
            config_map_ref: ConfigMapEnvSource {
                name: workload.config.metadata.name.clone().unwrap_or_default(),
            },
        }],
        resources: ResourceRequirements {
            requests: workload.resources.requests.clone(),
            limits: workload.resources.limits.clone(),
        },
        security_context: container_security(values),
        // The status of a pod that fails contains the end of its log.
        termination_message_policy: "FallbackToLogsOnError",
        ..workload.container
    };
    let affinity = values.affinity.clone();
    let spec = PodSpec {
        affinity: Some(affinity)
            .filter(|affinity| !affinity.is_empty())
            .map(Json::Object),
        automount_service_account_token: false,
        containers: vec![container],
        // Otherwise the Service `noetl` sets NOETL_PORT=tcp://… in every pod.
        enable_service_links: false,
        image_pull_secrets: Some(pull_secrets(values)).filter(|secrets| !secrets.is_empty()),
        node_selector: Some(values.node_selector.clone()).filter(|labels| !labels.is_empty()),
        priority_class_name: values.priority_class_name.clone(),
        security_context: pod_security(values),
        service_account_name: app.to_owned(),
        termination_grace_period_seconds: 30,
        tolerations: Some(values.tolerations.clone()).filter(|all| !all.is_empty()),
        topology_spread_constraints: spread(app),
        volumes: workload.volumes,
    };
    let mut annotations = values.annotations.clone();
    annotations.insert("noetl.io/config-sha256".to_owned(), digest(workload.config));
    let mut pod_labels = values.labels.clone();
    pod_labels.extend(labels(Some(app)));
    let template = ObjectMeta {
        labels: Some(pod_labels),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    Deployment {
        metadata: metadata(values, app, Some(app)),
        spec: DeploymentSpec {
            min_ready_seconds: workload.min_ready_seconds,
            progress_deadline_seconds: 600,
            replicas: workload.replicas,
            revision_history_limit: 5,
            selector: pods_of(app),
            strategy: workload.strategy,
            template: PodTemplateSpec {
                metadata: template,
                spec,
            },
        },
    }
}

fn pod_security(values: &Values) -> Json {
    let mut context = json!({
        // Otherwise volumes belong to root.
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": USER,
        "runAsNonRoot": true,
        "runAsUser": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    // The containers' context also removes fields, and sets those that only pods have.
    let also = values.security_context.iter();
    let also = also.filter(|(field, value)| value.is_null() || is_of_pods(field));
    apply(&mut context, also);
    apply(&mut context, values.pod_security_context.iter());
    context
}

fn container_security(values: &Values) -> Json {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "privileged": false,
        "readOnlyRootFilesystem": true,
    });
    let own = values.security_context.iter();
    apply(
        &mut context,
        own.filter(|(field, _)| is_of_containers(field)),
    );
    context
}

/// Sets fields; one that is null is removed.
fn apply<'a>(context: &mut Json, fields: impl Iterator<Item = (&'a String, &'a Json)>) {
    let mut none = Map::new();
    let context = context.as_object_mut().unwrap_or(&mut none);
    for (field, value) in fields {
        match value {
            Json::Null => drop(context.remove(field)),
            value => drop(context.insert(field.clone(), value.clone())),
        }
    }
}

/// Spreads pods over nodes and zones if possible. The pods of an earlier rollout do not count.
fn spread(app: &str) -> Vec<TopologySpreadConstraint> {
    let over = |key: &str| TopologySpreadConstraint {
        label_selector: pods_of(app),
        match_label_keys: vec!["pod-template-hash"],
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway",
    };
    vec![
        over("kubernetes.io/hostname"),
        over("topology.kubernetes.io/zone"),
    ]
}

/// A volume that is deleted with the pod.
pub(super) fn scratch(name: &str, limit: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: limit.to_owned(),
        }),
        ..Volume::default()
    }
}

/// A volume that is kept when the pod is deleted.
pub(super) fn claimed(name: &str, claim: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
        }),
        ..Volume::default()
    }
}

pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
    }
}

/// A variable whose value is a key of a Secret.
pub(super) fn secret_variable(name: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: EnvVarSource {
            secret_key_ref: SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
            },
        },
    }
}

fn pull_policy(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::Always => "Always",
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Never => "Never",
    }
}

fn pull_secrets(values: &Values) -> Vec<LocalObjectReference> {
    let names = values.image_pull_secrets.iter();
    names
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect()
}

/// Returns the digest of the settings. It is part of the pod template, so that changed settings restart pods,
/// which read them only when they start.
fn digest(config: &ConfigMap) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &config.data {
        hash.update(format!("{name}={value}\n"));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
