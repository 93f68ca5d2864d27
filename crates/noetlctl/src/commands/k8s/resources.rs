//! Reads fields of the objects that kubectl prints as JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// Returns the items of a list.
pub(super) fn items(list: Value) -> Vec<Value> {
    match list {
        Value::Object(mut list) => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Returns the architecture of each node, such as `amd64` or `arm64`.
pub(super) fn architectures(nodes: &[Value]) -> BTreeMap<String, String> {
    let architecture = |node: &Value| {
        let architecture = node["status"]["nodeInfo"]["architecture"].as_str()?;
        Some((name(node).to_owned(), architecture.to_owned()))
    };
    nodes.iter().filter_map(architecture).collect()
}

/// Returns the name of an object.
pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Returns the state of a pod in one word, as `kubectl get pods` prints it: the reason why its container
/// waits or has ended, else its phase.
pub(super) fn pod_state(pod: &Value) -> &str {
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

/// Whether a pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
