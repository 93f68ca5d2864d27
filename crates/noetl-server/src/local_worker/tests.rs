//! The server's own worker, with real executions over a store of a test's own.

use std::sync::Arc;

use noetl_api::ExecutionStatus;
use noetl_engine::ToolEnvironment;
use serde_json::{Value, json};

use super::{LocalSource, LocalWorker};
use crate::credentials::Credentials;
use crate::executions::{Executions, LocalQueue, Start};
use crate::store::tests::new_store;
use crate::store::{CatalogEntry, Ids, Store};
use crate::vault::{Vault, new_secret};
use crate::worker::Slots;

fn server(store: &Store, slots: usize) -> (Arc<Executions>, LocalWorker) {
    let slots = Slots::new(slots);
    let ids = Arc::new(Ids::new(0));
    let (queue, orders) = LocalQueue::new("server-test".to_owned(), slots.clone());
    let executions = Arc::new(Executions::new(store.clone(), Arc::clone(&ids), queue));
    let vault = Vault::new(&new_secret().unwrap()).unwrap();
    let source = LocalSource {
        worker_id: "server-test".to_owned(),
        store: store.clone(),
        executions: Arc::clone(&executions),
        credentials: Credentials::new(store.clone(), ids, vault),
        tools: ToolEnvironment::default(),
    };
    (executions, LocalWorker::new(source, slots, orders))
}

async fn register(store: &Store, catalog_id: i64, path: &str, steps: &Value) -> CatalogEntry {
    let playbook = json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook",
        "metadata": {"name": path, "path": path}, "workflow": steps,
    });
    let entry = CatalogEntry {
        catalog_id,
        path: path.to_owned(),
        version: 0,
        kind: "Playbook".to_owned(),
        name: path.to_owned(),
        description: None,
        content: playbook.to_string(),
        created_at: 0,
    };
    store.register(entry, None).await.unwrap().unwrap()
}

#[tokio::test]
async fn executions_run_to_their_end_with_more_commands_than_slots() {
    let (_folder, store) = new_store().await;
    let (executions, mut worker) = server(&store, 2);
    worker.begin();
    let steps = json!([
        {"step": "start", "tool": {"kind": "noop", "args": {"n": "{{ i }}"}},
         "loop": {"in": "{{ range(20) | list }}", "iterator": "i", "mode": "parallel"}},
    ]);
    let entry = register(&store, 1, "loop", &steps).await;
    let started = executions.start(&entry, Start::default()).await.unwrap();
    let id = started.execution_id;
    assert_eq!(
        executions.wait_for_end(id).await,
        Ok(ExecutionStatus::Completed)
    );
    let result = store.final_result(id, None).await.unwrap();
    assert_eq!(result["stats"]["success"], 20);
    assert_eq!(store.queue_depth(0).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn one_slot_is_enough_for_playbooks_that_call_playbooks() {
    let (_folder, store) = new_store().await;
    let (executions, mut worker) = server(&store, 1);
    worker.begin();
    let inner = json!([{"step": "start", "tool": {"kind": "noop", "args": {"n": 7}}}]);
    register(&store, 1, "inner", &inner).await;
    let outer = json!([{"step": "start", "tool": {"kind": "playbook", "path": "inner"}}]);
    let entry = register(&store, 2, "outer", &outer).await;
    let started = executions.start(&entry, Start::default()).await.unwrap();
    let id = started.execution_id;
    assert_eq!(
        executions.wait_for_end(id).await,
        Ok(ExecutionStatus::Completed)
    );
    assert_eq!(store.final_result(id, None).await.unwrap(), json!({"n": 7}));
}

#[tokio::test]
async fn commands_are_given_back_when_the_server_stops() {
    let (_folder, store) = new_store().await;
    let (executions, mut worker) = server(&store, 1);
    let steps = json!([{"step": "start", "tool": {"kind": "shell", "cmds": "true"}}]);
    let entry = register(&store, 1, "p", &steps).await;
    // Claimed for the worker, which stops before it starts.
    executions.start(&entry, Start::default()).await.unwrap();
    assert!(executions.due(10).await.unwrap().is_empty());
    worker.stop().await;
    worker.begin();
    assert_eq!(executions.due(10).await.unwrap().len(), 1);
    tokio::task::yield_now().await;
    assert_eq!(executions.due(10).await.unwrap().len(), 1, "it is not run");
}
