//! `noetl k8s status`: shows the Deployments and pods of NoETL with their nodes and images.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::kubectl::Cluster;
use super::objects::MANAGED_BY;
use super::resources::{architectures, items, pod_state};
use crate::cli::k8s::StatusArgs;
use crate::output::{self, Screen, Table};

/// The Deployments and pods of NoETL in a cluster.
#[derive(Debug)]
pub(super) struct Status {
    deployments: Vec<Value>,
    pods: Vec<Value>,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::find(&args.cluster)?;
    let status = Status::read(&cluster, &args.namespace)?;
    if args.json {
        output::json(&status.json())?;
    } else if status.deployments.is_empty() {
        note!(
            "NoETL is not installed in {}; `noetl k8s deploy` installs it",
            cluster.context()
        );
    } else {
        output::text(&status.table())?;
    }
    Ok(if status.is_up() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Status {
    /// Reads the Deployments, the pods and the nodes that the pods are on.
    pub(super) fn read(cluster: &Cluster, namespace: &str) -> anyhow::Result<Self> {
        let label = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
        let read = |kind: &str| {
            let args = ["get", kind, "--selector", &label, "--namespace", namespace];
            Ok::<_, anyhow::Error>(items(cluster.json(&args)?))
        };
        let architectures = architectures(&items(cluster.json(&["get", "nodes"])?));
        Ok(Self {
            deployments: read("deployments")?.iter().map(deployment).collect(),
            pods: read("pods")?
                .iter()
                .map(|one| pod(one, &architectures))
                .collect(),
        })
    }

    fn is_up(&self) -> bool {
        !self.deployments.is_empty()
            && self
                .deployments
                .iter()
                .all(|deployment| deployment["available"] == deployment["desired"])
    }

    fn json(&self) -> Value {
        json!({ "up": self.is_up(), "deployments": self.deployments, "pods": self.pods })
    }

    /// Formats a table of Deployments and one of pods.
    pub(super) fn table(&self) -> String {
        let mut deployments = Table::new(["DEPLOYMENT", "AVAILABLE", "IMAGE"]).unwrapped(&[0]);
        for one in &self.deployments {
            let available = format!("{}/{}", one["available"], one["desired"]);
            deployments.row([
                output::cell(&one["name"]),
                available,
                output::cell(&one["image"]),
            ]);
        }
        let mut pods =
            Table::new(["POD", "STATUS", "RESTARTS", "NODE", "ARCHITECTURE"]).unwrapped(&[0]);
        for one in &self.pods {
            let columns = ["name", "status", "restarts", "node", "architecture"];
            pods.row(columns.map(|column| output::cell(&one[column])));
        }
        let screen = Screen::stdout();
        format!("{}\n{}", deployments.text(screen), pods.text(screen))
    }
}

fn deployment(object: &Value) -> Value {
    json!({
        "name": object["metadata"]["name"],
        "desired": object["spec"]["replicas"].as_i64().unwrap_or(1),
        "available": object["status"]["availableReplicas"].as_i64().unwrap_or(0),
        "image": object["spec"]["template"]["spec"]["containers"][0]["image"],
    })
}

fn pod(object: &Value, architectures: &BTreeMap<String, String>) -> Value {
    let node = object["spec"]["nodeName"].as_str();
    let container = &object["status"]["containerStatuses"][0];
    json!({
        "name": object["metadata"]["name"],
        "status": pod_state(object),
        "restarts": container["restartCount"].as_i64().unwrap_or(0),
        "node": node,
        "architecture": node.and_then(|node| architectures.get(node)),
        "image": object["spec"]["containers"][0]["image"],
    })
}
