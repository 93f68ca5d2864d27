//! What all pods of NoETL have in common: restricted rights, a read-only file system, one container.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapEnvSource, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar,
    EnvVarSource, LocalObjectReference, PersistentVolumeClaimVolumeSource, PodSecurityContext,
    PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretKeySelector,
    SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};

use super::metadata::{labels, metadata, pods_of};
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
        image: Some(workload.image.to_string()),
        image_pull_policy: Some(pull_policy(values.image_pull_policy).to_owned()),
        env_from: Some(vec![EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource {
                name: workload.config.metadata.name.clone().unwrap_or_default(),
                optional: None,
            }),
            ..EnvFromSource::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: Some(quantities(&workload.resources.requests)),
            limits: Some(quantities(&workload.resources.limits)),
            ..ResourceRequirements::default()
        }),
        security_context: Some(container_security()),
        // The status of a pod that fails contains the end of its log.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..workload.container
    };
    let spec = PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container],
        // Otherwise the Service `noetl` sets NOETL_PORT=tcp://… in every pod.
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull_secrets(values)).filter(|secrets| !secrets.is_empty()),
        node_selector: Some(values.node_selector.clone()).filter(|labels| !labels.is_empty()),
        security_context: Some(pod_security()),
        service_account_name: Some(app.to_owned()),
        termination_grace_period_seconds: Some(30),
        topology_spread_constraints: Some(spread(app)),
        volumes: Some(workload.volumes),
        ..PodSpec::default()
    };
    let template = ObjectMeta {
        labels: Some(labels(Some(app))),
        annotations: Some(BTreeMap::from([(
            "noetl.io/config-sha256".to_owned(),
            digest(workload.config),
        )])),
        ..ObjectMeta::default()
    };
    Deployment {
        metadata: metadata(values, app, Some(app)),
        spec: Some(DeploymentSpec {
            min_ready_seconds: workload.min_ready_seconds,
            progress_deadline_seconds: Some(600),
            replicas: workload.replicas,
            revision_history_limit: Some(5),
            selector: pods_of(app),
            strategy: Some(workload.strategy),
            template: PodTemplateSpec {
                metadata: Some(template),
                spec: Some(spec),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        // Otherwise volumes belong to root.
        fs_group: Some(USER),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        run_as_group: Some(USER),
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

/// Spreads pods over nodes and zones if possible. The pods of an earlier rollout do not count.
fn spread(app: &str) -> Vec<TopologySpreadConstraint> {
    let over = |key: &str| TopologySpreadConstraint {
        label_selector: Some(pods_of(app)),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..TopologySpreadConstraint::default()
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
            size_limit: Some(Quantity(limit.to_owned())),
            ..EmptyDirVolumeSource::default()
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
            read_only: None,
        }),
        ..Volume::default()
    }
}

pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

/// A variable whose value is a key of a Secret.
pub(super) fn secret_variable(name: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
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

fn quantities(values: &BTreeMap<String, String>) -> BTreeMap<String, Quantity> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.clone(), Quantity(value.clone())))
        .collect()
}

/// Returns the digest of the settings. It is part of the pod template, so that changed settings restart pods,
/// which read them only when they start.
fn digest(config: &ConfigMap) -> String {
    let mut hash = Sha256::new();
    for (name, value) in config.data.iter().flatten() {
        hash.update(format!("{name}={value}\n"));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
