//! `noetl k8s status`: shows the Deployments and pods of NoETL with their nodes and images.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;

use super::kubectl::Cluster;
use super::objects::MANAGED_BY;
use super::resources::{Deployment, Pod, architectures};
use crate::cli::k8s::StatusArgs;
use crate::output::{self, Screen, Table, cell};

/// The Deployments and pods of NoETL in a cluster, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// Whether there are Deployments, and each has all its pods.
    up: bool,
    deployments: Vec<DeploymentRow>,
    pods: Vec<PodRow>,
}

#[derive(Debug, Serialize)]
struct DeploymentRow {
    name: String,
    desired: u32,
    available: u32,
    image: Option<String>,
}

#[derive(Debug, Serialize)]
struct PodRow {
    name: String,
    status: String,
    restarts: u32,
    /// Null when the pod is on no node.
    node: Option<String>,
    architecture: Option<String>,
    image: Option<String>,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::find(&args.cluster)?;
    let status = Status::read(&cluster, &args.namespace)?;
    if args.json {
        output::json(&status)?;
    } else if status.deployments.is_empty() {
        note!(
            "NoETL is not installed in {}; `noetl k8s deploy` installs it",
            cluster.context()
        );
    } else {
        output::text(&status.table())?;
    }
    Ok(if status.up {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Status {
    /// Reads the Deployments, the pods and the nodes that the pods are on.
    pub(super) fn read(cluster: &Cluster, namespace: &str) -> anyhow::Result<Self> {
        let label = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
        let get = |kind| ["get", kind, "--selector", &label, "--namespace", namespace];
        let architectures = architectures(cluster.items(&["get", "nodes"])?);
        let deployments: Vec<DeploymentRow> = cluster
            .items(&get("deployments"))?
            .into_iter()
            .map(deployment)
            .collect();
        let pods: Vec<Pod> = cluster.items(&get("pods"))?;
        Ok(Self {
            up: !deployments.is_empty() && deployments.iter().all(DeploymentRow::is_complete),
            deployments,
            pods: pods.iter().map(|one| pod(one, &architectures)).collect(),
        })
    }

    /// Formats a table of Deployments and one of pods.
    pub(super) fn table(&self) -> String {
        let mut deployments = Table::new(["DEPLOYMENT", "AVAILABLE", "IMAGE"]).unwrapped(&[0]);
        for one in &self.deployments {
            deployments.row([
                cell(one.name.as_str()),
                format!("{}/{}", one.available, one.desired),
                cell(one.image.as_deref()),
            ]);
        }
        let mut pods =
            Table::new(["POD", "STATUS", "RESTARTS", "NODE", "ARCHITECTURE"]).unwrapped(&[0]);
        for one in &self.pods {
            pods.row([
                cell(one.name.as_str()),
                cell(one.status.as_str()),
                one.restarts.to_string(),
                cell(one.node.as_deref()),
                cell(one.architecture.as_deref()),
            ]);
        }
        let screen = Screen::stdout();
        format!("{}\n{}", deployments.text(screen), pods.text(screen))
    }
}

impl DeploymentRow {
    fn is_complete(&self) -> bool {
        self.available == self.desired
    }
}

fn deployment(object: Deployment) -> DeploymentRow {
    DeploymentRow {
        desired: object.spec.replicas.unwrap_or(1),
        available: object.status.available_replicas.unwrap_or(0),
        image: object.spec.template.spec.image().map(str::to_owned),
        name: object.metadata.name,
    }
}

fn pod(object: &Pod, architectures: &BTreeMap<String, String>) -> PodRow {
    let node = object.spec.node_name.clone();
    PodRow {
        name: object.metadata.name.clone(),
        status: object.state().to_owned(),
        restarts: object
            .container()
            .map_or(0, |container| container.restart_count),
        architecture: node
            .as_ref()
            .and_then(|node| architectures.get(node))
            .cloned(),
        node,
        image: object.spec.image().map(str::to_owned),
    }
}
