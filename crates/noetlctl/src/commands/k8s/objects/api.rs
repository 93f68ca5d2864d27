//! The parts of the Kubernetes API that NoETL's objects use, as of version 1.33.
//!
//! Types have the names and fields of the API reference. Fields stand in the order in which they are written. A field
//! that is `None` is left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::commands::k8s::values::schema::Toleration;

type Strings = BTreeMap<String, String>;

/// An object that a cluster keeps under its kind and name.
pub(super) trait Resource: Serialize {
    const API_VERSION: &'static str;
    const KIND: &'static str;

    fn metadata(&self) -> &ObjectMeta;
}

/// Defines types of the API. A type with a version is a resource.
macro_rules! types {
    ($($name:ident $(= $version:literal)? {$(
        $(#[$attribute:meta])* $field:ident: $type:ty
    ),* $(,)?})*) => {$(
        #[derive(Debug, Clone, Default, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {$(
            $(#[$attribute])*
            pub(super) $field: $type,
        )*}

        $(impl Resource for $name {
            const API_VERSION: &'static str = $version;
            const KIND: &'static str = stringify!($name);

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
        })?
    )*};
}

// Metadata.
types! {
    ObjectMeta {
        annotations: Option<Strings>,
        labels: Option<Strings>,
        name: Option<String>,
        namespace: Option<String>,
    }
    LabelSelector {
        match_labels: Option<Strings>,
    }
}

// Namespaces, settings, storage and Services.
types! {
    Namespace = "v1" {
        metadata: ObjectMeta,
    }
    ConfigMap = "v1" {
        data: Strings,
        metadata: ObjectMeta,
    }
    Secret = "v1" {
        metadata: ObjectMeta,
        string_data: Strings,
        #[serde(rename = "type")]
        type_: &'static str,
    }
    PersistentVolumeClaim = "v1" {
        metadata: ObjectMeta,
        spec: PersistentVolumeClaimSpec,
    }
    PersistentVolumeClaimSpec {
        access_modes: Vec<&'static str>,
        resources: VolumeResourceRequirements,
        storage_class_name: Option<String>,
    }
    VolumeResourceRequirements {
        requests: Strings,
    }
    Service = "v1" {
        metadata: ObjectMeta,
        spec: ServiceSpec,
    }
    ServiceSpec {
        ports: Vec<ServicePort>,
        selector: Strings,
        #[serde(rename = "type")]
        type_: &'static str,
    }
    ServicePort {
        name: &'static str,
        node_port: Option<i32>,
        port: i32,
        protocol: &'static str,
        target_port: IntOrString,
    }
}

// Deployments and their pods.
types! {
    Deployment = "apps/v1" {
        metadata: ObjectMeta,
        spec: DeploymentSpec,
    }
    DeploymentSpec {
        min_ready_seconds: Option<i32>,
        progress_deadline_seconds: i32,
        replicas: Option<i32>,
        revision_history_limit: i32,
        selector: LabelSelector,
        strategy: DeploymentStrategy,
        template: PodTemplateSpec,
    }
    DeploymentStrategy {
        rolling_update: Option<RollingUpdateDeployment>,
        #[serde(rename = "type")]
        type_: &'static str,
    }
    RollingUpdateDeployment {
        max_surge: IntOrString,
        max_unavailable: IntOrString,
    }
    PodTemplateSpec {
        metadata: ObjectMeta,
        spec: PodSpec,
    }
    PodSpec {
        affinity: Option<Json>,
        automount_service_account_token: bool,
        containers: Vec<Container>,
        enable_service_links: bool,
        image_pull_secrets: Option<Vec<LocalObjectReference>>,
        node_selector: Option<Strings>,
        priority_class_name: Option<String>,
        security_context: Json,
        service_account_name: String,
        termination_grace_period_seconds: i64,
        tolerations: Option<Vec<Toleration>>,
        topology_spread_constraints: Vec<TopologySpreadConstraint>,
        volumes: Vec<Volume>,
    }
    LocalObjectReference {
        name: String,
    }
    TopologySpreadConstraint {
        label_selector: LabelSelector,
        match_label_keys: Vec<&'static str>,
        max_skew: i32,
        topology_key: String,
        when_unsatisfiable: &'static str,
    }
    Volume {
        empty_dir: Option<EmptyDirVolumeSource>,
        name: String,
        persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
    }
    EmptyDirVolumeSource {
        size_limit: String,
    }
    PersistentVolumeClaimVolumeSource {
        claim_name: String,
    }
    Container {
        args: Vec<&'static str>,
        env: Vec<EnvVar>,
        env_from: Vec<EnvFromSource>,
        image: String,
        image_pull_policy: &'static str,
        liveness_probe: Option<Probe>,
        name: String,
        ports: Option<Vec<ContainerPort>>,
        readiness_probe: Option<Probe>,
        resources: ResourceRequirements,
        security_context: Json,
        startup_probe: Option<Probe>,
        termination_message_policy: &'static str,
        volume_mounts: Vec<VolumeMount>,
    }
    EnvVar {
        name: String,
        value_from: EnvVarSource,
    }
    EnvVarSource {
        secret_key_ref: SecretKeySelector,
    }
    SecretKeySelector {
        key: String,
        name: String,
    }
    EnvFromSource {
        config_map_ref: ConfigMapEnvSource,
    }
    ConfigMapEnvSource {
        name: String,
    }
    ContainerPort {
        container_port: i32,
        name: &'static str,
        protocol: &'static str,
    }
    Probe {
        failure_threshold: i32,
        http_get: HttpGetAction,
        period_seconds: i32,
        timeout_seconds: i32,
    }
    HttpGetAction {
        path: String,
        port: IntOrString,
        scheme: &'static str,
    }
    ResourceRequirements {
        limits: Strings,
        requests: Strings,
    }
    VolumeMount {
        mount_path: String,
        name: String,
    }
}

// The number of pods.
types! {
    HorizontalPodAutoscaler = "autoscaling/v2" {
        metadata: ObjectMeta,
        spec: HorizontalPodAutoscalerSpec,
    }
    HorizontalPodAutoscalerSpec {
        max_replicas: i32,
        metrics: Vec<MetricSpec>,
        min_replicas: i32,
        scale_target_ref: CrossVersionObjectReference,
    }
    MetricSpec {
        resource: ResourceMetricSource,
        #[serde(rename = "type")]
        type_: &'static str,
    }
    ResourceMetricSource {
        name: &'static str,
        target: MetricTarget,
    }
    MetricTarget {
        average_utilization: i32,
        #[serde(rename = "type")]
        type_: &'static str,
    }
    CrossVersionObjectReference {
        api_version: &'static str,
        kind: &'static str,
        name: &'static str,
    }
    PodDisruptionBudget = "policy/v1" {
        metadata: ObjectMeta,
        spec: PodDisruptionBudgetSpec,
    }
    PodDisruptionBudgetSpec {
        max_unavailable: IntOrString,
        selector: LabelSelector,
        unhealthy_pod_eviction_policy: &'static str,
    }
}

// Rights.
types! {
    ServiceAccount = "v1" {
        automount_service_account_token: bool,
        metadata: ObjectMeta,
    }
    Role = "rbac.authorization.k8s.io/v1" {
        metadata: ObjectMeta,
        rules: [(); 0],
    }
    RoleBinding = "rbac.authorization.k8s.io/v1" {
        metadata: ObjectMeta,
        role_ref: RoleRef,
        subjects: Vec<Subject>,
    }
    RoleRef {
        api_group: &'static str,
        kind: &'static str,
        name: &'static str,
    }
    Subject {
        kind: &'static str,
        name: &'static str,
        namespace: String,
    }
    NetworkPolicy = "networking.k8s.io/v1" {
        metadata: ObjectMeta,
        spec: NetworkPolicySpec,
    }
    NetworkPolicySpec {
        egress: Vec<NetworkPolicyEgressRule>,
        ingress: Vec<NetworkPolicyIngressRule>,
        pod_selector: LabelSelector,
        policy_types: Vec<&'static str>,
    }
    NetworkPolicyEgressRule {
        ports: Option<Vec<NetworkPolicyPort>>,
    }
    NetworkPolicyIngressRule {
        from: Option<Vec<NetworkPolicyPeer>>,
        ports: Vec<NetworkPolicyPort>,
    }
    NetworkPolicyPeer {
        pod_selector: LabelSelector,
    }
    NetworkPolicyPort {
        port: i32,
        protocol: &'static str,
    }
}

/// A number, or text such as a percentage or the name of a port.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum IntOrString {
    Int(i32),
    String(&'static str),
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}
