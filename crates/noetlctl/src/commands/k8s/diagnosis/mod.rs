//! Explains why the rollout of a Deployment has failed: what the cluster reports about its pods, and help.

mod causes;

use std::collections::BTreeMap;

use super::kubectl::Cluster;
use super::resources::{ContainerStatus, Event, Pod, architectures};
use crate::output::sanitize;

/// How many of a log's last lines are shown.
const LOG_LINES: &str = "--tail=15";

/// What the cluster reports about a Deployment whose rollout has failed.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// The Deployment's name, with which the names of its pods begin.
    app: String,
    /// The pods that are not ready.
    pods: Vec<Pod>,
    events: Vec<Event>,
    /// Architectures by node.
    architectures: BTreeMap<String, String>,
    /// The last lines of logs, by pod.
    logs: BTreeMap<String, String>,
}

/// An explanation for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) lines: Vec<String>,
    pub(super) help: String,
}

impl Rollout {
    /// Reads the state of a rollout from the cluster. Logs that cannot be read are left out.
    pub(super) fn read(cluster: &Cluster, namespace: &str, app: &str) -> anyhow::Result<Self> {
        let in_namespace = ["--namespace", namespace];
        let selector = format!("app={app}");
        let pods = [&["get", "pods", "--selector", &selector], &in_namespace[..]].concat();
        let mut pods: Vec<Pod> = cluster.items(&pods)?;
        pods.retain(|pod| !pod.is_ready());
        let events = cluster.items(&[&["get", "events"], &in_namespace[..]].concat())?;
        let mut logs = BTreeMap::new();
        for pod in &pods {
            let name = pod.metadata.name.as_str();
            let log = |more: &[&str]| {
                let args = [&["logs", name, LOG_LINES], &in_namespace[..], more].concat();
                cluster.read(&args).ok().filter(|log| !log.is_empty())
            };
            if let Some(log) = log(&["--previous"]).or_else(|| log(&[])) {
                logs.insert(name.to_owned(), log);
            }
        }
        Ok(Self {
            app: app.to_owned(),
            architectures: architectures(cluster.items(&["get", "nodes"])?),
            pods,
            events,
            logs,
        })
    }

    /// Explains why the pods are not ready, with the help for the first known cause.
    pub(super) fn diagnose(&self) -> Diagnosis {
        let (mut lines, mut helps) = (Vec::new(), Vec::new());
        for pod in &self.pods {
            let pod = self.pod(pod);
            lines.extend(pod.lines());
            helps.extend(pod.help());
        }
        if self.pods.is_empty() {
            // Without pods, a policy or a quota kept them from being created.
            let warnings = self.warnings(&self.app);
            lines.push(format!("{}: no pods", self.app));
            lines.extend(warnings.iter().map(|warning| format!("  event: {warning}")));
            helps.extend(causes::help_for(&warnings.join("\n")).map(str::to_owned));
        }
        let help = helps.into_iter().next();
        Diagnosis {
            lines,
            help: help.unwrap_or_else(|| {
                "`noetl k8s status` shows the current state; --timeout waits longer".to_owned()
            }),
        }
    }

    fn pod(&self, pod: &Pod) -> PodReport {
        let name = pod.metadata.name.clone();
        let mut messages = pod.container().map_or_else(Vec::new, container_messages);
        let unscheduled =
            pod.status.conditions.iter().filter(|condition| {
                condition.kind == "PodScheduled" && condition.status == "False"
            });
        let unscheduled = unscheduled.filter_map(|condition| condition.message.as_deref());
        messages.extend(unscheduled.map(sanitize));
        for warning in self.warnings(&name) {
            if !messages.contains(&warning) {
                messages.push(warning);
            }
        }
        let node = pod.spec.node_name.clone();
        PodReport {
            state: pod.state().to_owned(),
            architecture: node
                .as_ref()
                .and_then(|node| self.architectures.get(node))
                .cloned(),
            node,
            image: sanitize(pod.spec.image().unwrap_or("?")),
            messages,
            log: self.logs.get(&name).cloned(),
            name,
        }
    }

    /// Returns the warnings about an object, each once. Without pods, those about the objects whose names begin
    /// with `name` count too.
    fn warnings(&self, name: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        for event in &self.events {
            let about = event.involved_object.name.as_str();
            let matches = about == name || self.pods.is_empty() && about.starts_with(name);
            if event.kind.as_deref() == Some("Warning") && matches {
                let warning = format!(
                    "{}: {}",
                    event.reason.as_deref().unwrap_or("Warning"),
                    sanitize(event.message.as_deref().unwrap_or_default().trim())
                );
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        warnings
    }
}

/// Returns the reasons and messages of a container's current and last state.
fn container_messages(container: &ContainerStatus) -> Vec<String> {
    let mut messages = Vec::new();
    for state in [&container.state, &container.last_state] {
        for why in state.reasons() {
            if let (Some(reason), Some(message)) = (&why.reason, &why.message) {
                messages.push(format!("{reason}: {}", sanitize(message.trim())));
            } else if let Some(reason) = why.reason.as_ref().filter(|reason| *reason == "OOMKilled")
            {
                messages.push(reason.clone());
            }
        }
    }
    messages
}

/// What is known about one pod.
struct PodReport {
    name: String,
    state: String,
    node: Option<String>,
    architecture: Option<String>,
    image: String,
    /// The messages of its container, the scheduler and events, the oldest first.
    messages: Vec<String>,
    log: Option<String>,
}

impl PodReport {
    fn lines(&self) -> Vec<String> {
        let place = match (&self.node, &self.architecture) {
            (Some(node), Some(architecture)) => format!(" on {node} (linux/{architecture})"),
            (Some(node), None) => format!(" on {node}"),
            _ => " on no node".to_owned(),
        };
        let mut lines = vec![
            format!("{}{place}: {}", self.name, self.state),
            format!("  image: {}", self.image),
        ];
        lines.extend(self.messages.iter().map(|message| format!("  {message}")));
        let log = self.log.iter().flat_map(|log| log.lines());
        lines.extend(log.map(|line| format!("  log: {}", sanitize(line))));
        lines
    }

    fn help(&self) -> Option<String> {
        let mut messages = self.messages.join("\n");
        messages.push_str(self.log.as_deref().unwrap_or_default());
        messages.push_str(&self.state);
        causes::help_for_platform(&messages, &self.image, self.architecture.as_deref())
            .or_else(|| causes::help_for(&messages).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rollout(pod: Value, events: &[(&str, &str)], log: &str) -> Rollout {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let name = pod.metadata.name.clone();
        let event = |(reason, message): &(&str, &str)| event(reason, message, &name);
        Rollout {
            app: "noetl-server".to_owned(),
            events: events.iter().map(event).collect(),
            architectures: [("node-a".to_owned(), "amd64".to_owned())].into(),
            logs: [(name.clone(), log.to_owned())].into(),
            pods: vec![pod],
        }
    }

    fn event(reason: &str, message: &str, about: &str) -> Event {
        let document = json!({
            "type": "Warning", "reason": reason, "message": message,
            "involvedObject": {"name": about},
        });
        serde_json::from_value(document).unwrap()
    }

    fn pod(state: Value) -> Value {
        json!({
            "metadata": {"name": "noetl-server-1"},
            "spec": {"nodeName": "node-a", "containers": [{"image": "noetl:1"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"state": state}]},
        })
    }

    #[test]
    fn a_missing_platform_is_named() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}});
        let message =
            "Failed to pull image \"noetl:1\": no match for platform in manifest: not found";
        let found = rollout(pod(waiting), &[("Failed", message)], "").diagnose();
        assert_eq!(
            found.lines[0],
            "noetl-server-1 on node-a (linux/amd64): ImagePullBackOff"
        );
        assert!(
            found
                .help
                .starts_with("noetl:1 has nothing for linux/amd64"),
            "{found:?}"
        );
    }

    #[test]
    fn a_program_for_another_architecture_is_recognized() {
        let ended = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
        let log = "exec /usr/bin/noetl: exec format error";
        let found = rollout(pod(ended.clone()), &[], log).diagnose();
        assert!(found.help.contains("is not for linux/amd64"), "{found:?}");
        let found = rollout(pod(ended), &[], "error: another error").diagnose();
        assert!(found.help.contains("--timeout"), "{found:?}");
        assert!(
            found
                .lines
                .contains(&"  log: error: another error".to_owned())
        );
    }

    #[test]
    fn an_unscheduled_pod_shows_the_schedulers_message() {
        let mut unscheduled = pod(json!({}));
        unscheduled["spec"]["nodeName"] = Value::Null;
        unscheduled["status"]["conditions"] = json!([{
            "type": "PodScheduled", "status": "False",
            "message": "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        }]);
        let found = rollout(unscheduled, &[], "").diagnose();
        assert!(found.lines[0].contains("on no node"), "{found:?}");
        assert!(found.help.contains("nodeSelector"), "{found:?}");
    }

    #[test]
    fn without_pods_the_events_of_the_deployment_are_shown() {
        let message = "pods is forbidden: exceeded quota: small";
        let event = event("FailedCreate", message, "noetl-server-5d9");
        let without_pods = Rollout {
            app: "noetl-server".to_owned(),
            events: vec![event],
            ..Rollout::default()
        };
        let found = without_pods.diagnose();
        assert_eq!(found.lines[0], "noetl-server: no pods");
        assert!(found.help.contains("quota is used up"), "{found:?}");
    }
}
