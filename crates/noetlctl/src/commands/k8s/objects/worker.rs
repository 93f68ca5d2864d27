//! The workers: Deployment, settings and autoscaler.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{ConfigMap, Container};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{PORT, config_map, metadata, strings};
use super::pods::{self, Workload, mount, scratch, secret_variable};
use super::server;
use crate::commands::k8s::values::CheckedValues;
use crate::commands::k8s::values::schema::Values;

pub(super) const NAME: &str = "noetl-worker";
const CONFIG: &str = "noetl-worker-config";
/// The home folder of the worker and of the programs that its steps run.
const HOME: &str = "/opt/noetl/data";

/// The workers' settings that are not secret.
pub(super) fn config(values: &Values) -> ConfigMap {
    let server = format!("http://{}.{}.svc:{PORT}", server::SERVICE, values.namespace);
    let data = strings([
        ("HOME", HOME),
        // The token is sent over HTTP, inside the cluster's network.
        ("NOETL_ALLOW_HTTP", "true"),
        ("NOETL_MAX_WORKERS", &values.worker.concurrency.to_string()),
        ("NOETL_SERVER_URL", &server),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]);
    config_map(values, CONFIG, NAME, data, &values.worker.env)
}

/// Workers accept no connections, so that they have no probes: a worker that cannot register, or fails, exits.
pub(super) fn deployment(checked: &CheckedValues, config: &ConfigMap) -> Deployment {
    let values = &checked.values;
    let container = Container {
        args: Some(vec!["worker".to_owned(), "start".to_owned()]),
        // Only servers have the key that encrypts credentials.
        env: Some(vec![secret_variable(
            "NOETL_API_TOKEN",
            &values.secret,
            "NOETL_API_TOKEN",
        )]),
        volume_mounts: Some(vec![mount("data", HOME), mount("tmp", "/tmp")]),
        ..Container::default()
    };
    let workload = Workload {
        name: NAME,
        // A number would reset what the autoscaler has set.
        replicas: (!is_autoscaled(values)).then_some(values.worker.replicas),
        strategy: DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::String("25%".to_owned())),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        },
        // A worker that exits at its start does not count as available.
        min_ready_seconds: Some(5),
        image: &checked.python_image,
        config,
        resources: &values.worker.resources,
        container,
        volumes: vec![
            scratch("data", "256Mi"),
            scratch("tmp", &values.worker.scratch),
        ],
    };
    pods::deployment(values, workload)
}

/// Whether an autoscaler sets the number of workers.
pub(super) fn is_autoscaled(values: &Values) -> bool {
    values.worker.max_replicas > values.worker.replicas
}

pub(super) fn autoscaler(values: &Values) -> HorizontalPodAutoscaler {
    HorizontalPodAutoscaler {
        metadata: metadata(values, NAME, Some(NAME)),
        spec: Some(HorizontalPodAutoscalerSpec {
            min_replicas: Some(values.worker.replicas),
            max_replicas: values.worker.max_replicas,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(values.worker.cpu_percent),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: NAME.to_owned(),
            },
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    }
}
