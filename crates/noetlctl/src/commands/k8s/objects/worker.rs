//! The workers: Deployment, settings and autoscaler.

use super::api::{
    ConfigMap, Container, CrossVersionObjectReference, Deployment, DeploymentStrategy,
    HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, IntOrString, MetricSpec, MetricTarget,
    ResourceMetricSource, RollingUpdateDeployment,
};
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
        args: vec!["worker", "start"],
        // Only servers have the key that encrypts credentials.
        env: vec![secret_variable(
            "NOETL_API_TOKEN",
            &values.secret,
            "NOETL_API_TOKEN",
        )],
        volume_mounts: vec![mount("data", HOME), mount("tmp", "/tmp")],
        ..Container::default()
    };
    let workload = Workload {
        name: NAME,
        // A number would reset what the autoscaler has set.
        replicas: (!is_autoscaled(values)).then_some(values.worker.replicas),
        strategy: DeploymentStrategy {
            type_: "RollingUpdate",
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: IntOrString::String("25%"),
                max_unavailable: IntOrString::Int(0),
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
        spec: HorizontalPodAutoscalerSpec {
            min_replicas: values.worker.replicas,
            max_replicas: values.worker.max_replicas,
            metrics: vec![MetricSpec {
                type_: "Resource",
                resource: ResourceMetricSource {
                    name: "cpu",
                    target: MetricTarget {
                        type_: "Utilization",
                        average_utilization: values.worker.cpu_percent,
                    },
                },
            }],
            scale_target_ref: CrossVersionObjectReference {
                api_version: "apps/v1",
                kind: "Deployment",
                name: NAME,
            },
        },
    }
}
