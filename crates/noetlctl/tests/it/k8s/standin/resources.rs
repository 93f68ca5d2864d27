//! The kinds of object that the cluster has, and its discovery and OpenAPI documents.

use serde_json::{Value, json};

/// Group and version, kind, plural, whether the object is in a namespace.
type Kind = (&'static str, &'static str, &'static str, bool);

const KINDS: &[Kind] = &[
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Event", "events", true),
    (
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        true,
    ),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("apps/v1", "Deployment", "deployments", true),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        true,
    ),
    (
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        true,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
];

/// Returns version and kind of the objects with this plural in a path.
pub(super) fn kind(plural: &str) -> Option<(&'static str, &'static str)> {
    let found = KINDS.iter().find(|(_, _, known, _)| *known == plural);
    found.map(|(version, kind, _, _)| (*version, *kind))
}

/// Returns a document of discovery or OpenAPI.
pub(super) fn document(path: &str) -> Option<Value> {
    match path {
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups()})),
        "/version" => Some(json!({"major": "1", "minor": "33", "gitVersion": "v1.33.0"})),
        "/openapi/v3" => {
            let paths = versions().map(|version| {
                (
                    prefix(version)[1..].to_owned(),
                    json!({
                        "serverRelativeURL": format!("/openapi/v3{}", prefix(version)),
                    }),
                )
            });
            Some(json!({ "paths": paths.collect::<serde_json::Map<_, _>>() }))
        }
        _ => versions().find_map(|version| {
            if path == prefix(version) {
                return Some(list(version));
            }
            (path.strip_prefix("/openapi/v3") == Some(&prefix(version))).then(|| openapi(version))
        }),
    }
}

fn versions() -> impl Iterator<Item = &'static str> {
    let mut versions: Vec<_> = KINDS.iter().map(|(version, ..)| *version).collect();
    versions.dedup();
    versions.into_iter()
}

fn prefix(version: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{version}")
}

fn of(version: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |(of, ..)| *of == version)
}

fn groups() -> Vec<Value> {
    let groups = versions().filter_map(|version| Some((version, version.split_once('/')?)));
    let group = |(whole, (group, version)): (&str, (&str, &str))| {
        let version = json!({"groupVersion": whole, "version": version});
        json!({"name": group, "versions": [version], "preferredVersion": version})
    };
    groups.map(group).collect()
}

fn list(version: &str) -> Value {
    let verbs = [
        "create", "delete", "get", "list", "patch", "update", "watch",
    ];
    let resources = of(version).map(|(_, kind, plural, namespaced)| {
        json!({
            "name": plural, "singularName": kind.to_lowercase(), "kind": kind,
            "namespaced": namespaced, "verbs": verbs,
        })
    });
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
        "resources": resources.collect::<Vec<_>>(),
    })
}

/// Returns the part of OpenAPI that kubectl reads: whether the server supports dry runs and field validation.
fn openapi(version: &str) -> Value {
    let (group, short) = version.split_once('/').unwrap_or(("", version));
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let paths = of(version).map(|(_, kind, plural, _)| {
        let operation = json!({
            "x-kubernetes-group-version-kind": {"group": group, "version": short, "kind": kind},
            "parameters": [parameter("dryRun"), parameter("fieldValidation")],
            "responses": {},
        });
        (
            format!("{}/{plural}/{{name}}", prefix(version)),
            json!({ "patch": operation }),
        )
    });
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.33.0"},
        "paths": paths.collect::<serde_json::Map<_, _>>(),
    })
}
