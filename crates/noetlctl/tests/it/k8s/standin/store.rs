//! The objects of the cluster, changes to them, and the pods of Deployments.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::Request;
use super::{kubelet, resources};

/// Plural, namespace, name.
type Key = (String, String, String);

pub(super) struct Store {
    pub(super) objects: BTreeMap<Key, Value>,
    /// The architectures of images that lack some.
    pub(super) images: BTreeMap<String, Vec<String>>,
    /// The requests that changed an object.
    pub(super) changes: Vec<String>,
    events: Vec<(u64, Key, Value)>,
    version: u64,
    uid: u64,
}

impl Store {
    pub(super) fn new(architectures: &[&str]) -> Self {
        let mut store = Self {
            objects: BTreeMap::new(),
            images: BTreeMap::new(),
            changes: Vec::new(),
            events: Vec::new(),
            version: 1,
            uid: 0,
        };
        for (number, architecture) in architectures.iter().enumerate() {
            let node = json!({
                "apiVersion": "v1", "kind": "Node", "metadata": {"labels": {"kubernetes.io/arch": architecture}},
                "status": {
                    "nodeInfo": {"architecture": architecture, "operatingSystem": "linux"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            });
            store.put(key("nodes", "", &format!("node-{number}")), node);
        }
        store
    }

    /// Returns status and body of the answer to a request.
    pub(super) fn answer(&mut self, request: &Request) -> (u16, Value) {
        let Some((key, sub)) = parse(&request.path) else {
            return not_found(&request.path);
        };
        let dry = !request.query("dryRun").is_empty();
        if !dry && request.method != "GET" {
            let Request { method, path, .. } = request;
            self.changes.push(format!("{method} {path}"));
        }
        let body = &request.body;
        match (request.method.as_str(), sub.as_deref()) {
            ("GET", Some("log")) => self.log(&key),
            ("GET", _) if key.2.is_empty() => (200, self.list(&key, request)),
            ("GET", _) => self
                .objects
                .get(&key)
                .map_or_else(|| not_found(&key.2), |found| (200, found.clone())),
            ("POST", _) => self.create(key, body, dry),
            ("PATCH", _) => self.patch(key, body, dry),
            ("DELETE", _) => match self.remove(&key) {
                Some(object) => (200, object),
                None => not_found(&key.2),
            },
            _ => (405, failure(405, "MethodNotAllowed", "no such verb")),
        }
    }

    fn list(&self, place: &Key, request: &Request) -> Value {
        let (version, kind) = resources::kind(&place.0).unwrap_or_default();
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, object)| matches(place, request, key, object))
            .map(|(_, object)| object.clone())
            .collect();
        json!({
            "apiVersion": version, "kind": format!("{kind}List"),
            "metadata": {"resourceVersion": self.version.to_string()}, "items": items,
        })
    }

    /// Returns the events of the objects in a list that are newer than a version.
    pub(super) fn events_since(&self, request: &Request, seen: u64) -> Vec<(u64, Value)> {
        let Some((place, _)) = parse(&request.path) else {
            return Vec::new();
        };
        let events = self.events.iter().filter(|(version, key, event)| {
            *version > seen && matches(&place, request, key, &event["object"])
        });
        events
            .map(|(version, _, event)| (*version, event.clone()))
            .collect()
    }

    fn create(&mut self, place: Key, body: &Value, dry: bool) -> (u16, Value) {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let key = (place.0, place.1, name.to_owned());
        if self.objects.contains_key(&key) {
            return (
                409,
                failure(409, "AlreadyExists", &format!("{name} already exists")),
            );
        }
        self.patch(key, body, dry)
    }

    /// Applies a document: its fields replace those of the object, and other fields are kept.
    fn patch(&mut self, key: Key, body: &Value, dry: bool) -> (u16, Value) {
        let no_namespace = !key.1.is_empty()
            && !self
                .objects
                .contains_key(&self::key("namespaces", "", &key.1));
        if no_namespace {
            let message = format!("namespaces \"{}\" not found", key.1);
            return (404, failure(404, "NotFound", &message));
        }
        let before = self.objects.get(&key).cloned();
        let mut object = before
            .clone()
            .unwrap_or_else(|| json!({"metadata": {"generation": 0}}));
        merge(&mut object, body);
        if let Some(data) = object
            .as_object_mut()
            .and_then(|object| object.remove("stringData"))
        {
            object["data"] = data;
        }
        // Like in a real cluster, a document that changes nothing creates no new version.
        if let Some(before) = before.as_ref().filter(|before| **before == object) {
            return (200, before.clone());
        }
        let changed = before
            .as_ref()
            .is_none_or(|before| before["spec"] != object["spec"]);
        if changed {
            object["metadata"]["generation"] =
                json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        if dry {
            return (200, finish(&key, object, "0", self.version));
        }
        let object = self.put(key.clone(), object);
        if key.0 == "deployments" && changed {
            self.roll_out(&key);
            return (200, self.objects[&key].clone());
        }
        (if before.is_some() { 200 } else { 201 }, object)
    }

    fn put(&mut self, key: Key, object: Value) -> Value {
        self.version += 1;
        let what = if self.objects.contains_key(&key) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.uid += 1;
        let uid = self.uid.to_string();
        let object = finish(&key, object, &uid, self.version);
        let event = json!({"type": what, "object": object});
        self.events.push((self.version, key.clone(), event));
        self.objects.insert(key, object.clone());
        object
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let object = self.objects.remove(key)?;
        self.version += 1;
        let event = json!({"type": "DELETED", "object": object});
        self.events.push((self.version, key.clone(), event));
        if key.0 == "deployments" {
            self.remove_pods(key);
        }
        Some(object)
    }

    fn remove_pods(&mut self, deployment: &Key) {
        let prefix = format!("{}-", deployment.2);
        self.objects.retain(|key, _| {
            !(key.0 == "pods" && key.1 == deployment.1 && key.2.starts_with(&prefix))
        });
    }

    /// Starts the pods of a Deployment on the nodes in turn, and sets its status.
    fn roll_out(&mut self, key: &Key) {
        self.remove_pods(key);
        let mut deployment = self.objects[key].clone();
        let objects = self.objects.values();
        let nodes: Vec<_> = objects
            .filter(|object| object["kind"] == "Node")
            .cloned()
            .collect();
        // Without a number, an autoscaler would set it.
        let desired = deployment["spec"]["replicas"]
            .as_u64()
            .unwrap_or(nodes.len() as u64);
        let mut ready = 0;
        for (number, node) in (0..desired).zip(nodes.iter().cycle()) {
            let pod = kubelet::start(&key.2, number, &deployment, node, &self.images);
            ready += u64::from(pod.failure.is_none());
            if let Some(message) = pod.failure {
                let event = kubelet::warning(&pod.name, &message);
                self.put(
                    self::key("events", &key.1, &format!("{}.1", pod.name)),
                    event,
                );
            }
            self.put(self::key("pods", &key.1, &pod.name), pod.object);
        }
        let progressing = if ready == desired {
            ("True", "NewReplicaSetAvailable")
        } else {
            ("False", "ProgressDeadlineExceeded")
        };
        deployment["spec"]["replicas"] = json!(desired);
        deployment["status"] = json!({
            "observedGeneration": deployment["metadata"]["generation"], "replicas": desired,
            "updatedReplicas": desired, "readyReplicas": ready, "availableReplicas": ready,
            "conditions": [{"type": "Progressing", "status": progressing.0, "reason": progressing.1}],
        });
        self.put(key.clone(), deployment);
    }

    /// Returns the log of a pod. A container that has not started has none.
    fn log(&self, key: &Key) -> (u16, Value) {
        match self.objects.get(key) {
            Some(pod) if pod["status"]["phase"] == "Running" => {
                (200, json!("noetl is listening\n"))
            }
            Some(_) => (
                400,
                failure(400, "BadRequest", "the container is waiting to start"),
            ),
            None => not_found(&key.2),
        }
    }
}

/// Parses a path into a key, which has an empty name for a list, and the part after the name.
fn parse(path: &str) -> Option<(Key, Option<String>)> {
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    parts.drain(
        ..if parts.first() == Some(&"api") {
            2
        } else {
            parts.len().min(3)
        },
    );
    let mut namespace = "";
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        namespace = parts[1];
        parts.drain(..2);
    }
    let plural = parts
        .first()
        .filter(|plural| resources::kind(plural).is_some())?;
    let name = parts.get(1).copied().unwrap_or_default();
    Some((
        key(plural, namespace, name),
        parts.get(2).map(ToString::to_string),
    ))
}

fn key(plural: &str, namespace: &str, name: &str) -> Key {
    (plural.to_owned(), namespace.to_owned(), name.to_owned())
}

fn matches(place: &Key, request: &Request, key: &Key, object: &Value) -> bool {
    let labels = request
        .query("labelSelector")
        .split(',')
        .filter(|pair| !pair.is_empty());
    let mut labels = labels.filter_map(|pair| pair.split_once('='));
    let field = request
        .query("fieldSelector")
        .strip_prefix("metadata.name=");
    key.0 == place.0
        && (place.1.is_empty() || key.1 == place.1)
        && field.is_none_or(|name| name == key.2)
        && labels.all(|(name, value)| object["metadata"]["labels"][name] == value)
}

/// Adds the fields that the cluster sets in every object.
fn finish(key: &Key, mut object: Value, uid: &str, version: u64) -> Value {
    let (group_version, kind) = resources::kind(&key.0).unwrap_or_default();
    object["apiVersion"] = json!(group_version);
    object["kind"] = json!(kind);
    let metadata = &mut object["metadata"];
    metadata["name"] = json!(key.2);
    if !key.1.is_empty() {
        metadata["namespace"] = json!(key.1);
    }
    if metadata["uid"].is_null() {
        metadata["uid"] = json!(uid);
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    metadata["resourceVersion"] = json!(version.to_string());
    object
}

fn merge(object: &mut Value, document: &Value) {
    match (object, document) {
        (Value::Object(object), Value::Object(document)) => {
            for (name, value) in document {
                merge(object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (object, document) => object.clone_from(document),
    }
}

fn not_found(what: &str) -> (u16, Value) {
    (
        404,
        failure(404, "NotFound", &format!("\"{what}\" not found")),
    )
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}
