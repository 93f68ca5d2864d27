//! Why a pod does not come up: what the cluster knows, in a few lines, and what mends it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kubectl::Cluster;
use super::status::{architectures, items, state};
use crate::output::clean;

/// How many of a log's last lines are shown.
const LOG_LINES: &str = "--tail=15";

/// What the cluster knows about a Deployment that is not up.
#[derive(Debug, Default)]
pub(super) struct Scene {
    /// The Deployment's name, with which its pods' names begin.
    pub(super) app: String,
    pub(super) pods: Vec<Value>,
    pub(super) events: Vec<Value>,
    /// Architectures by node.
    pub(super) architectures: BTreeMap<String, String>,
    /// Last lines by pod.
    pub(super) logs: BTreeMap<String, String>,
}

/// What is said about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) lines: Vec<String>,
    pub(super) remedy: String,
}

impl Scene {
    /// Asks the cluster. Logs that cannot be had are left out.
    pub(super) fn read(cluster: &Cluster, namespace: &str, app: &str) -> anyhow::Result<Self> {
        let of_namespace = ["--namespace", namespace];
        let selector = format!("app={app}");
        let pods = [&["get", "pods", "--selector", &selector], &of_namespace[..]].concat();
        let pods: Vec<Value> = items(cluster.json(&pods)?)
            .into_iter()
            .filter(|pod| !is_ready(pod))
            .collect();
        let events = items(cluster.json(&[&["get", "events"], &of_namespace[..]].concat())?);
        let mut logs = BTreeMap::new();
        for pod in &pods {
            let name = name_of(pod);
            let log = |more: &[&str]| {
                let args = [&["logs", name, LOG_LINES], &of_namespace[..], more].concat();
                cluster.read(&args).ok().filter(|log| !log.is_empty())
            };
            if let Some(log) = log(&["--previous"]).or_else(|| log(&[])) {
                logs.insert(name.to_owned(), log);
            }
        }
        Ok(Self {
            app: app.to_owned(),
            architectures: architectures(&items(cluster.json(&["get", "nodes"])?)),
            pods,
            events,
            logs,
        })
    }
}

/// Puts what is known into lines, and finds the first cause that has a remedy.
pub(super) fn explain(scene: &Scene) -> Explanation {
    let (mut lines, mut remedies) = (Vec::new(), Vec::new());
    for pod in &scene.pods {
        let clues = clues(scene, pod);
        lines.extend(clues.lines());
        remedies.extend(remedy(&clues));
    }
    if scene.pods.is_empty() {
        // Nobody made a pod: a policy or a quota was in the way.
        let events = warnings(scene, &scene.app);
        lines.push(format!("{}: no pods", scene.app));
        lines.extend(events.iter().map(|event| format!("  event: {event}")));
        let said = events.join("\n");
        remedies.extend(remedy_of(&said).map(str::to_owned));
    }
    let remedy = remedies.into_iter().next();
    Explanation {
        lines,
        remedy: remedy.unwrap_or_else(|| {
            "`noetl k8s status` shows how it goes on; --timeout waits longer".to_owned()
        }),
    }
}

/// What is known of one pod.
struct Clues {
    pod: String,
    state: String,
    node: Option<String>,
    architecture: Option<String>,
    image: String,
    /// Everything that was said about it, oldest first.
    said: Vec<String>,
    log: Option<String>,
}

fn clues(scene: &Scene, pod: &Value) -> Clues {
    let name = name_of(pod).to_owned();
    let container = &pod["status"]["containerStatuses"][0];
    let mut said = Vec::new();
    for state in [&container["state"], &container["lastState"]] {
        for kind in ["waiting", "terminated"] {
            let reason = state[kind]["reason"].as_str();
            let message = state[kind]["message"].as_str();
            if let (Some(reason), Some(message)) = (reason, message) {
                said.push(format!("{reason}: {}", clean(message.trim())));
            } else if let Some(reason) = reason.filter(|reason| *reason == "OOMKilled") {
                said.push(reason.to_owned());
            }
        }
    }
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let unscheduled = conditions
        .filter(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")
        .filter_map(|condition| condition["message"].as_str());
    said.extend(unscheduled.map(clean));
    for event in warnings(scene, &name) {
        if !said.contains(&event) {
            said.push(event);
        }
    }
    let node = pod["spec"]["nodeName"].as_str().map(str::to_owned);
    Clues {
        state: state(pod).to_owned(),
        architecture: node
            .as_ref()
            .and_then(|node| scene.architectures.get(node))
            .cloned(),
        node,
        image: clean(
            pod["spec"]["containers"][0]["image"]
                .as_str()
                .unwrap_or("?"),
        ),
        said,
        log: scene.logs.get(&name).cloned(),
        pod: name,
    }
}

impl Clues {
    fn lines(&self) -> Vec<String> {
        let place = match (&self.node, &self.architecture) {
            (Some(node), Some(architecture)) => format!(" on {node} (linux/{architecture})"),
            (Some(node), None) => format!(" on {node}"),
            _ => " on no node".to_owned(),
        };
        let mut lines = vec![
            format!("{}{place}: {}", self.pod, self.state),
            format!("  image: {}", self.image),
        ];
        lines.extend(self.said.iter().map(|said| format!("  {said}")));
        let log = self.log.iter().flat_map(|log| log.lines());
        lines.extend(log.map(|line| format!("  log: {}", clean(line))));
        lines
    }
}

/// What mends what a pod suffers from.
fn remedy(clues: &Clues) -> Option<String> {
    let mut said = clues.said.join("\n");
    said.push_str(clues.log.as_deref().unwrap_or_default());
    said.push_str(&clues.state);
    let (image, architecture) = (
        &clues.image,
        clues
            .architecture
            .as_deref()
            .unwrap_or("the node's architecture"),
    );
    if said.contains("no match for platform") || said.contains("no matching manifest") {
        return Some(format!(
            "{image} has nothing for linux/{architecture}: make it for every node with `cargo xtask image --platforms linux/amd64,linux/arm64 --push`"
        ));
    }
    if said.contains("exec format error") {
        return Some(format!(
            "the program in {image} is not for linux/{architecture}: `cargo xtask image check {image}` finds where it is wrong"
        ));
    }
    remedy_of(&said).map(str::to_owned)
}

/// Signs of what goes wrong most, in the words of kubelet, scheduler and admission.
fn remedy_of(said: &str) -> Option<&'static str> {
    const REMEDIES: &[(&str, &str)] = &[
        (
            "ErrImageNeverPull",
            "the node has no such image: load it there, such as with `kind load docker-image`",
        ),
        (
            "ImagePullBackOff",
            "check the image's name, whether nodes reach the registry, and imagePullSecrets in the values file",
        ),
        (
            "ErrImagePull",
            "check the image's name, whether nodes reach the registry, and imagePullSecrets in the values file",
        ),
        ("InvalidImageName", "check the image's name"),
        (
            "couldn't find key",
            "the Secret lacks a key that the pods need; `noetl k8s deploy` makes a whole one where there is none",
        ),
        (
            "secret \"",
            "the Secret is not there; the one of PostgreSQL is yours to make",
        ),
        (
            "runAsNonRoot",
            "the image's user is root or a name; NoETL's is 65532",
        ),
        (
            "violates PodSecurity",
            "the namespace takes restricted pods alone: something has changed these",
        ),
        (
            "exceeded quota",
            "the namespace's quota is used up: ask for less under `resources` in the values file",
        ),
        (
            "OOMKilled",
            "it needs more memory: raise limits.memory in the values file",
        ),
        (
            "unbound immediate PersistentVolumeClaims",
            "nobody provides the volume: name a class under `storage` in the values file",
        ),
        (
            "node affinity/selector",
            "no node has the labels of nodeSelector in the values file",
        ),
        (
            "Insufficient ",
            "no node has room: ask for less under `resources` in the values file",
        ),
        (
            "this server's store",
            "the store was begun with another key: put that one into the Secret",
        ),
        (
            "the store",
            "the server cannot open its store; its log says why",
        ),
    ];
    let found = REMEDIES.iter().find(|(sign, _)| said.contains(sign));
    found.map(|(_, remedy)| *remedy)
}

/// The warnings about an object and what it made, once each.
fn warnings(scene: &Scene, name: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for event in &scene.events {
        let about = event["involvedObject"]["name"].as_str().unwrap_or_default();
        let ours = about == name || scene.pods.is_empty() && about.starts_with(name);
        if event["type"] == "Warning" && ours {
            let line = format!(
                "{}: {}",
                event["reason"].as_str().unwrap_or("Warning"),
                clean(event["message"].as_str().unwrap_or_default().trim())
            );
            if !warnings.contains(&line) {
                warnings.push(line);
            }
        }
    }
    warnings
}

fn name_of(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scene(pod: Value, events: &[(&str, &str)], log: &str) -> Scene {
        let name = name_of(&pod).to_owned();
        let event = |(reason, message): &(&str, &str)| {
            json!({
                "type": "Warning", "reason": reason, "message": message,
                "involvedObject": {"name": name},
            })
        };
        Scene {
            app: "noetl-server".to_owned(),
            events: events.iter().map(event).collect(),
            architectures: [("node-a".to_owned(), "amd64".to_owned())].into(),
            logs: [(name.clone(), log.to_owned())].into(),
            pods: vec![pod],
        }
    }

    fn pod(state: Value) -> Value {
        json!({
            "metadata": {"name": "noetl-server-1"},
            "spec": {"nodeName": "node-a", "containers": [{"image": "noetl:1"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"state": state}]},
        })
    }

    #[test]
    fn a_platform_that_is_missing_is_named() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}});
        let message =
            "Failed to pull image \"noetl:1\": no match for platform in manifest: not found";
        let found = explain(&scene(pod(waiting), &[("Failed", message)], ""));
        assert_eq!(
            found.lines[0],
            "noetl-server-1 on node-a (linux/amd64): ImagePullBackOff"
        );
        assert!(
            found
                .remedy
                .starts_with("noetl:1 has nothing for linux/amd64"),
            "{found:?}"
        );
    }

    #[test]
    fn a_foreign_program_is_told_from_a_broken_one() {
        let ended = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
        let log = "exec /usr/bin/noetl: exec format error";
        let found = explain(&scene(pod(ended.clone()), &[], log));
        assert!(found.remedy.contains("is not for linux/amd64"), "{found:?}");
        let found = explain(&scene(pod(ended), &[], "error: something of its own"));
        assert!(found.remedy.contains("--timeout"), "{found:?}");
        assert!(
            found
                .lines
                .contains(&"  log: error: something of its own".to_owned())
        );
    }

    #[test]
    fn a_pod_without_a_node_says_what_it_waits_for() {
        let mut lonely = pod(json!({}));
        lonely["spec"]["nodeName"] = Value::Null;
        lonely["status"]["conditions"] = json!([{
            "type": "PodScheduled", "status": "False",
            "message": "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        }]);
        let found = explain(&scene(lonely, &[], ""));
        assert!(found.lines[0].contains("on no node"), "{found:?}");
        assert!(found.remedy.contains("nodeSelector"), "{found:?}");
    }

    #[test]
    fn nobody_made_a_pod() {
        let event = json!({
            "type": "Warning", "reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: small",
            "involvedObject": {"name": "noetl-server-5d9"},
        });
        let scene = Scene {
            app: "noetl-server".to_owned(),
            events: vec![event],
            ..Scene::default()
        };
        let found = explain(&scene);
        assert_eq!(found.lines[0], "noetl-server: no pods");
        assert!(found.remedy.contains("quota is used up"), "{found:?}");
    }
}
