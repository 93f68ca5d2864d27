//! Starts a pod on a node: it runs if the image has the node's architecture, and fails with a kubelet's message
//! otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A pod after the attempt to start it.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) object: Value,
    /// The kubelet's message when the pod did not start.
    pub(super) failure: Option<String>,
}

/// Starts the pod of a Deployment with this number on a node. `images` has the architectures of images that lack
/// some.
pub(super) fn start(
    app: &str,
    number: u64,
    deployment: &Value,
    node: &Value,
    images: &BTreeMap<String, Vec<String>>,
) -> Pod {
    let generation = &deployment["metadata"]["generation"];
    let template = &deployment["spec"]["template"];
    let image = template["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default();
    let architecture = node["status"]["nodeInfo"]["architecture"]
        .as_str()
        .unwrap_or_default();
    let runs = images
        .get(image)
        .is_none_or(|has| has.iter().any(|one| one == architecture));
    let (phase, ready, state) = if runs {
        ("Running", "True", json!({"running": {}}))
    } else {
        let message = format!("Back-off pulling image \"{image}\"");
        (
            "Pending",
            "False",
            json!({"waiting": {"reason": "ImagePullBackOff", "message": message}}),
        )
    };
    Pod {
        name: format!("{app}-{generation}-{number}"),
        object: json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"labels": template["metadata"]["labels"]},
            "spec": {
                "nodeName": node["metadata"]["name"],
                "containers": [{"name": app, "image": image}],
            },
            "status": {
                "phase": phase,
                "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{"name": app, "restartCount": 0, "state": state}],
            },
        }),
        failure: (!runs).then(|| {
            format!(
                "Failed to pull image \"{image}\": no match for platform in manifest: not found"
            )
        }),
    }
}

/// Returns the event that a kubelet writes about a pod.
pub(super) fn warning(pod: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Failed", "message": message,
        "involvedObject": {"kind": "Pod", "name": pod},
    })
}
