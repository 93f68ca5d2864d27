//! The server: Deployment, settings, volume and both Services.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, HTTPGetAction, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, Probe, Service, ServicePort, ServiceSpec,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pods::{self, Workload, claimed, mount, scratch, secret_variable};
use super::{PORT, config_map, metadata, strings};
use crate::commands::k8s::values::{Settled, Values};

pub(super) const NAME: &str = "noetl-server";
/// The Service inside the cluster.
pub(super) const SERVICE: &str = "noetl";
/// The Service on every node.
const NODE_SERVICE: &str = "noetl-ext";
const CONFIG: &str = "noetl-server-config";
const CLAIM: &str = "noetl-data";
/// Where the volume is mounted.
const VOLUME: &str = "/opt/noetl/data";
/// The server's own folder on it: the volume itself is root's, who alone may close it to others.
const DATA: &str = "/opt/noetl/data/store";
/// The container's port by its name, which Services and probes follow.
const PORT_NAME: &str = "http";

/// The server's settings that are no secret.
pub(super) fn config(values: &Values) -> ConfigMap {
    let data = strings([
        ("NOETL_DATA_DIR", DATA),
        ("NOETL_HOST", "0.0.0.0"),
        // Steps are for workers, whose image has a Python and a shell.
        ("NOETL_MAX_WORKERS", "0"),
        ("NOETL_PORT", &PORT.to_string()),
    ]);
    config_map(values, CONFIG, NAME, data, &values.server.env)
}

pub(super) fn deployment(settled: &Settled, config: &ConfigMap) -> Deployment {
    let values = &settled.values;
    let data = match values.database.secret {
        None => claimed("data", CLAIM),
        Some(_) => scratch("data", "256Mi"),
    };
    let mut variables = vec![
        secret_variable("NOETL_API_TOKEN", &values.secret, "NOETL_API_TOKEN"),
        secret_variable(
            "NOETL_ENCRYPTION_KEY",
            &values.secret,
            "NOETL_ENCRYPTION_KEY",
        ),
    ];
    if let Some(secret) = &values.database.secret {
        variables.push(secret_variable(
            "DATABASE_URL",
            secret,
            &values.database.key,
        ));
    }
    let container = Container {
        args: Some(vec!["server".to_owned(), "start".to_owned()]),
        env: Some(variables),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // Two minutes for a first start on a slow volume; after that the other two take over.
        startup_probe: Some(probe(2, 60)),
        liveness_probe: Some(probe(10, 6)),
        readiness_probe: Some(probe(5, 3)),
        volume_mounts: Some(vec![mount("data", VOLUME), mount("tmp", "/tmp")]),
        ..Container::default()
    };
    let workload = Workload {
        name: NAME,
        replicas: Some(values.server.replicas),
        strategy: strategy(values),
        min_ready_seconds: None,
        image: &settled.image,
        config,
        resources: &values.server.resources,
        container,
        volumes: vec![data, scratch("tmp", "256Mi")],
    };
    pods::deployment(values, workload)
}

/// Two servers never share one SQLite file, not even while one replaces the other.
fn strategy(values: &Values) -> DeploymentStrategy {
    if values.database.secret.is_none() {
        return DeploymentStrategy {
            type_: Some("Recreate".to_owned()),
            rolling_update: None,
        };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

fn probe(period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/api/health".to_owned()),
            port: IntOrString::String(PORT_NAME.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

pub(super) fn volume_claim(values: &Values) -> PersistentVolumeClaim {
    let size = Quantity(values.storage.size.clone());
    PersistentVolumeClaim {
        metadata: metadata(values, CLAIM, Some(NAME)),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                limits: None,
            }),
            storage_class_name: values.storage.class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// Where workers and other pods find a server.
pub(super) fn service(values: &Values) -> Service {
    service_of(values, SERVICE, "ClusterIP", None)
}

/// The same on a port of every node.
pub(super) fn node_port(values: &Values, port: i32) -> Service {
    service_of(values, NODE_SERVICE, "NodePort", Some(port))
}

fn service_of(values: &Values, name: &str, kind: &str, node_port: Option<i32>) -> Service {
    Service {
        metadata: metadata(values, name, Some(NAME)),
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            selector: Some(strings([("app", NAME)])),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: PORT,
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                node_port,
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
