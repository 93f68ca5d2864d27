//! The server: Deployment, settings, volume and both Services.

use super::api::{
    ConfigMap, Container, ContainerPort, Deployment, DeploymentStrategy, HttpGetAction,
    IntOrString, PersistentVolumeClaim, PersistentVolumeClaimSpec, Probe, RollingUpdateDeployment,
    Service, ServicePort, ServiceSpec, VolumeResourceRequirements,
};
use super::metadata::{PORT, config_map, metadata, strings};
use super::pods::{self, Workload, claimed, mount, scratch, secret_variable};
use crate::commands::k8s::values::CheckedValues;
use crate::commands::k8s::values::schema::Values;

pub(super) const NAME: &str = "noetl-server";
/// The Service inside the cluster.
pub(super) const SERVICE: &str = "noetl";
/// The Service on every node.
const NODE_SERVICE: &str = "noetl-ext";
const CONFIG: &str = "noetl-server-config";
const CLAIM: &str = "noetl-data";
/// The mount point of the volume.
const VOLUME: &str = "/opt/noetl/data";
/// The server's data folder. It is below the mount point, whose permissions only root can change.
const DATA: &str = "/opt/noetl/data/store";
/// The name of the container's port, which Services and probes refer to.
const PORT_NAME: &str = "http";
/// The path that answers while the server runs.
const HEALTH: &str = "/api/health";

/// The server's settings that are not secret.
pub(super) fn config(values: &Values) -> ConfigMap {
    let data = strings([
        ("NOETL_DATA_DIR", DATA),
        ("NOETL_HOST", "::"),
        // Steps run in workers, whose image has Python and a shell.
        ("NOETL_MAX_WORKERS", "0"),
        ("NOETL_PORT", &PORT.to_string()),
    ]);
    config_map(values, CONFIG, NAME, data, &values.server.env)
}

pub(super) fn deployment(checked: &CheckedValues, config: &ConfigMap) -> Deployment {
    let values = &checked.values;
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
        args: vec!["server", "start"],
        env: variables,
        ports: Some(vec![ContainerPort {
            name: PORT_NAME,
            container_port: PORT,
            protocol: "TCP",
        }]),
        // A first start on a slow volume may take two minutes; then the other two probes begin.
        startup_probe: Some(probe(HEALTH, 2, 60)),
        liveness_probe: Some(probe(HEALTH, 10, 6)),
        // While the store cannot keep what it is given, the server gets no requests.
        readiness_probe: Some(probe("/api/health?ready", 5, 3)),
        volume_mounts: vec![mount("data", VOLUME), mount("tmp", "/tmp")],
        ..Container::default()
    };
    let workload = Workload {
        name: NAME,
        replicas: Some(values.server.replicas),
        strategy: strategy(values),
        min_ready_seconds: None,
        image: &checked.image,
        config,
        resources: &values.server.resources,
        container,
        volumes: vec![data, scratch("tmp", "256Mi")],
    };
    pods::deployment(values, workload)
}

/// With SQLite, the old server stops before the new one starts, so that they never share the file.
fn strategy(values: &Values) -> DeploymentStrategy {
    if values.database.secret.is_none() {
        return DeploymentStrategy {
            type_: "Recreate",
            rolling_update: None,
        };
    }
    DeploymentStrategy {
        type_: "RollingUpdate",
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: IntOrString::Int(1),
            max_unavailable: IntOrString::Int(0),
        }),
    }
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: HttpGetAction {
            path: path.to_owned(),
            port: IntOrString::String(PORT_NAME),
            scheme: "HTTP",
        },
        period_seconds,
        timeout_seconds: 5,
        failure_threshold: failures,
    }
}

pub(super) fn volume_claim(values: &Values) -> PersistentVolumeClaim {
    let size = values.storage.size.clone();
    PersistentVolumeClaim {
        metadata: metadata(values, CLAIM, Some(NAME)),
        spec: PersistentVolumeClaimSpec {
            access_modes: vec!["ReadWriteOnce"],
            resources: VolumeResourceRequirements {
                requests: [("storage".to_owned(), size)].into(),
            },
            storage_class_name: values.storage.class_name.clone(),
        },
    }
}

/// The Service by which workers and other pods reach the server.
pub(super) fn service(values: &Values) -> Service {
    service_of(values, SERVICE, "ClusterIP", None)
}

/// The Service by which the server is reached on a port of every node.
pub(super) fn node_port(values: &Values, port: i32) -> Service {
    service_of(values, NODE_SERVICE, "NodePort", Some(port))
}

fn service_of(values: &Values, name: &str, kind: &'static str, node_port: Option<i32>) -> Service {
    Service {
        metadata: metadata(values, name, Some(NAME)),
        spec: ServiceSpec {
            type_: kind,
            selector: strings([("app", NAME)]),
            ports: vec![ServicePort {
                name: PORT_NAME,
                port: PORT,
                target_port: IntOrString::String(PORT_NAME),
                node_port,
                protocol: "TCP",
            }],
        },
    }
}
