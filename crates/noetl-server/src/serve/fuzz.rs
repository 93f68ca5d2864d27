//! Fuzz tests: drawn requests, and drawn values in the rows of the store, against a server over loopback. No answer has
//! a status of 500 or more, nothing panics, and the memory does not grow.
//!
//! A few thousand inputs are drawn in each run of the tests. `cargo xtask test --fuzz COUNT` sets NOETL_TEST_FUZZ, the
//! number of inputs of each target; NOETL_TEST_SEED repeats a run.

mod client;
mod draw;
mod operations;
mod requests;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

use noetl_engine::ToolEnvironment;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::client::Client;
use super::Server;
use crate::start::{Config, StoreConfig};
use crate::store::{Storage, Store};
use crate::ui::UiSource;

/// How many inputs a server takes before the next begins with a new store.
const ROUND: usize = 20_000;
/// How much the memory may grow between the middle and the end, in bytes: once the most that one template may take,
/// which the allocator keeps.
const GROWTH: usize = 160 << 20;

/// The server's token.
const TOKEN: &str = "fuzz";

/// How many answers had each status.
static ANSWERS: Mutex<BTreeMap<u16, usize>> = Mutex::new(BTreeMap::new());
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Returns a number of the environment.
#[expect(clippy::disallowed_methods, reason = "cargo xtask test --fuzz sets it")]
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Counts the panics of all threads from now on, since a server answers the request of one that has panicked.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            print(info);
        }));
    });
}

/// A server on loopback that runs no steps itself, and its folder.
struct Target {
    folder: TempDir,
    url: String,
    store: Store,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Target {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::bind(config(folder.path())).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (url, store) = (server.address().to_string(), server.ready.store.clone());
        let running = tokio::spawn(server.run(async move {
            drop(stopped.await);
        }));
        Self {
            folder,
            url,
            store,
            stop,
            running,
        }
    }

    async fn stop(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
        self.folder
    }
}

fn config(folder: &Path) -> Config {
    let build = json!({
        "schema": 1, "name": "noetl", "version": "0.0.0", "commit": "", "target": "", "target_features": "",
        "rustc": "", "ui_sha256": null, "default_port": 0, "ui_embedded": false,
    });
    Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        ui: UiSource::Off,
        build: serde_json::from_value(build).unwrap(),
        name: "fuzz".to_owned(),
        // A caller with the token may send any number of requests.
        api_token: Some(TOKEN.to_owned()),
        max_workers: 0,
        log_limit: 1 << 20,
        retention: None,
        allowed_hosts: Vec::new(),
        descriptors: 1_024,
        tools: ToolEnvironment::default(),
        store: StoreConfig {
            data_dir: folder.to_owned(),
            storage: Storage::Sqlite(folder.join("noetl.db")),
            encryption_key: None,
        },
    }
}

/// Registers playbooks, and starts one of them. Returns the answers.
async fn begin(client: &mut Client) -> Vec<Value> {
    let mut answers = Vec::new();
    for content in draw::PLAYBOOKS {
        let body = json!({"content": content});
        answers.push(client.json("POST", "/api/catalog/register", &body).await);
    }
    let body = json!({"name": "secret", "type": "bearer", "data": {"token": "t"}});
    answers.push(client.json("POST", "/api/credentials", &body).await);
    for _ in 0..3 {
        for path in ["fuzz/loop", "fuzz/two"] {
            let body = json!({"path": path, "payload": {"items": [1, 2, 3]}});
            answers.push(client.json("POST", "/api/execute", &body).await);
        }
    }
    answers
}

/// Returns the memory that this process uses, in bytes; none where that is not known.
fn memory() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Runs so many inputs in rounds of [`ROUND`], and holds the memory after each.
async fn in_rounds(name: &str, default: usize, mut round: impl AsyncFnMut(usize, u64)) {
    count_panics();
    let (count, seed) = (
        number("NOETL_TEST_FUZZ", default),
        number("NOETL_TEST_SEED", 1) as u64,
    );
    let before = PANICS.load(Ordering::Relaxed);
    let mut used = Vec::new();
    let mut done = 0;
    while done < count {
        let inputs = ROUND.min(count - done);
        round(inputs, seed.wrapping_add(done as u64)).await;
        done += inputs;
        used.extend(memory());
        let answers = ANSWERS.lock().unwrap().clone();
        let megabytes = used.last().unwrap_or(&0) >> 20;
        println!("{name}: {done} inputs, {megabytes} MB, {answers:?}");
        assert_eq!(
            PANICS.load(Ordering::Relaxed),
            before,
            "something has panicked"
        );
    }
    if let (Some(middle), Some(last)) = (used.get(used.len() / 2), used.last()) {
        assert!(
            *last < middle + GROWTH,
            "{name}: the memory has grown: {used:?}"
        );
    }
}
