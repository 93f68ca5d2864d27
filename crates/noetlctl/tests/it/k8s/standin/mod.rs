//! A fake Kubernetes cluster on loopback, for the real kubectl: discovery, OpenAPI, objects with server-side
//! apply, watches, and nodes that run the images of their architecture.
//!
//! It accepts any object: kubernetes-validate checks whether manifests are valid.

mod http;
mod kubelet;
mod resources;
mod store;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

use http::Request;
use store::Store;

/// A running cluster. Its threads end with the test's process.
pub(crate) struct Cluster {
    url: String,
    shared: Arc<Shared>,
}

/// The state that all connections share.
struct Shared {
    store: Mutex<Store>,
    changed: std::sync::Condvar,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    /// Starts a cluster with a node for each of these architectures.
    pub(crate) fn start(architectures: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new(architectures)),
            changed: std::sync::Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || serve(&shared, stream.unwrap()));
            }
        });
        Self { url, shared }
    }

    /// Sets the architectures of an image. Any other image has all of them.
    pub(crate) fn image(&self, reference: &str, architectures: &[&str]) {
        let architectures = architectures.iter().map(ToString::to_string).collect();
        self.shared
            .store()
            .images
            .insert(reference.to_owned(), architectures);
    }

    /// Writes a kubeconfig whose contexts all name this cluster. The first one is current.
    pub(crate) fn kubeconfig(&self, path: &Path, contexts: &[&str]) {
        let context = |name: &&str| json!({"name": name, "context": {"cluster": "standin", "user": "tester"}});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": contexts.first(),
            "clusters": [{"name": "standin", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {}}],
            "contexts": contexts.iter().map(context).collect::<Vec<_>>(),
        });
        std::fs::write(path, config.to_string()).unwrap();
    }

    /// Returns an object.
    pub(crate) fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.shared.store().objects.get(&key).cloned()
    }

    /// Changes an object without kubectl.
    pub(crate) fn change(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        change(self.shared.store().objects.get_mut(&key).unwrap());
    }

    /// Returns `plural/name` of the objects in a namespace that a client has created.
    pub(crate) fn names(&self, namespace: &str) -> Vec<String> {
        let store = self.shared.store();
        let created = store.objects.keys().filter(|(plural, place, _)| {
            place == namespace && plural != "pods" && plural != "events"
        });
        created
            .map(|(plural, _, name)| format!("{plural}/{name}"))
            .collect()
    }

    /// Returns the changes since the last call, such as `PATCH /api/v1/namespaces/noetl`, without dry runs.
    pub(crate) fn changes(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.store().changes)
    }
}

/// Answers the requests of a connection until it is closed.
fn serve(shared: &Shared, stream: TcpStream) {
    let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = http::read(&mut reader) {
        let done = if request.flag("watch") {
            watch(shared, &request, &mut writer)
        } else {
            let (status, kind, body) = answer(shared, &request);
            http::write(&mut writer, status, kind, &body)
        };
        if done.is_err() {
            return;
        }
    }
}

fn answer(shared: &Shared, request: &Request) -> (u16, &'static str, String) {
    if let Some(document) = resources::document(&request.path) {
        return (200, "application/json", document.to_string());
    }
    let mut store = shared.store();
    let (status, body) = store.answer(request);
    drop(store);
    shared.changed.notify_all();
    match body {
        // Only a log is text.
        Value::String(text) => (status, "text/plain", text),
        body => (status, "application/json", body.to_string()),
    }
}

/// Sends the events of the objects in a list that are newer than the client's version.
fn watch(shared: &Shared, request: &Request, writer: &mut TcpStream) -> std::io::Result<()> {
    let mut seen = request.query("resourceVersion").parse().unwrap_or(0);
    writer.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    loop {
        let mut store = shared.store();
        let mut events = store.events_since(request, seen);
        while events.is_empty() {
            store = shared
                .changed
                .wait(store)
                .unwrap_or_else(PoisonError::into_inner);
            events = store.events_since(request, seen);
        }
        drop(store);
        for (version, event) in events {
            let line = format!("{event}\n");
            write!(writer, "{:x}\r\n{line}\r\n", line.len())?;
            seen = version;
        }
        writer.flush()?;
    }
}
