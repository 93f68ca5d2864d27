//! `noetl k8s status`: what runs in the cluster, where, from which image.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::kubectl::Cluster;
use super::objects::MANAGED_BY;
use crate::cli::k8s::StatusArgs;
use crate::output::{self, Screen, Table};

/// What the cluster says of NoETL.
#[derive(Debug)]
pub(super) struct Scene {
    deployments: Vec<Value>,
    pods: Vec<Value>,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::find(&args.cluster)?;
    let scene = Scene::read(&cluster, &args.namespace)?;
    if args.json {
        output::json(&scene.json())?;
    } else if scene.deployments.is_empty() {
        note!(
            "NoETL is not in {}; `noetl k8s deploy` brings it there",
            cluster.context()
        );
    } else {
        output::text(&scene.table())?;
    }
    Ok(if scene.is_up() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Scene {
    /// Asks for Deployments, pods and the nodes that these are on.
    pub(super) fn read(cluster: &Cluster, namespace: &str) -> anyhow::Result<Self> {
        let label = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
        let of = |kind: &str| {
            let asked = ["get", kind, "--selector", &label, "--namespace", namespace];
            Ok::<_, anyhow::Error>(items(cluster.json(&asked)?))
        };
        let architectures = architectures(&items(cluster.json(&["get", "nodes"])?));
        Ok(Self {
            deployments: of("deployments")?.iter().map(deployment).collect(),
            pods: of("pods")?
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

    /// Deployments, and below them their pods.
    pub(super) fn table(&self) -> String {
        let mut deployments = Table::new(["DEPLOYMENT", "AVAILABLE", "IMAGE"]).whole(&[0]);
        for one in &self.deployments {
            let available = format!("{}/{}", one["available"], one["desired"]);
            deployments.row([
                output::word(&one["name"]),
                available,
                output::word(&one["image"]),
            ]);
        }
        let mut pods =
            Table::new(["POD", "STATUS", "RESTARTS", "NODE", "ARCHITECTURE"]).whole(&[0]);
        for one in &self.pods {
            let columns = ["name", "status", "restarts", "node", "architecture"];
            pods.row(columns.map(|column| output::word(&one[column])));
        }
        let screen = Screen::stdout();
        format!("{}\n{}", deployments.text(screen), pods.text(screen))
    }
}

/// The items of a list that kubectl printed.
pub(super) fn items(list: Value) -> Vec<Value> {
    match list {
        Value::Object(mut list) => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Each node's architecture, in the words of images: amd64, arm64.
pub(super) fn architectures(nodes: &[Value]) -> BTreeMap<String, String> {
    let architecture = |node: &Value| {
        let name = node["metadata"]["name"].as_str()?.to_owned();
        let architecture = node["status"]["nodeInfo"]["architecture"]
            .as_str()?
            .to_owned();
        Some((name, architecture))
    };
    nodes.iter().filter_map(architecture).collect()
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
        "status": state(object),
        "restarts": container["restartCount"].as_i64().unwrap_or(0),
        "node": node,
        "architecture": node.and_then(|node| architectures.get(node)),
        "image": object["spec"]["containers"][0]["image"],
    })
}

/// A pod in one word, as `kubectl get pods` has it: the reason it waits for, else its phase.
pub(super) fn state(pod: &Value) -> &str {
    let container = &pod["status"]["containerStatuses"][0]["state"];
    let reasons = [
        &container["waiting"]["reason"],
        &container["terminated"]["reason"],
    ];
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return "Terminating";
    }
    reasons
        .into_iter()
        .find_map(Value::as_str)
        .or_else(|| pod["status"]["phase"].as_str())
        .unwrap_or("Unknown")
}
