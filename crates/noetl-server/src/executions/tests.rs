//! Executions over a store of a test's own, with and without the server's own worker.

use std::sync::Arc;
use std::time::Duration;

use noetl_api::{ExecutionStatus, Failure};
use noetl_engine::SubPlaybook;
use noetl_engine::execution::{Command, Outcome};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Executions, LocalQueue, Order, RunError, Start};
use crate::store::tests::new_store;
use crate::store::{CatalogEntry, ExecutionRow, Ids, Store};
use crate::worker::Slots;

pub(super) const NOW: Duration = Duration::ZERO;

/// A server's executions, and the orders of its own worker.
pub(super) struct Server {
    _folder: TempDir,
    pub(super) store: Store,
    pub(super) executions: Executions,
    orders: UnboundedReceiver<Order>,
}

impl Server {
    /// A server whose own worker has so many slots.
    pub(super) async fn new(slots: usize) -> Self {
        let (folder, store) = new_store().await;
        let (executions, orders) = executions(&store, 0, slots);
        Self {
            _folder: folder,
            store,
            executions,
            orders,
        }
    }

    pub(super) async fn register(&self, path: &str, steps: &Value) -> CatalogEntry {
        let playbook = json!({
            "apiVersion": "noetl.io/v2", "kind": "Playbook",
            "metadata": {"name": path, "path": path}, "workflow": steps,
        });
        let entry = CatalogEntry {
            catalog_id: self.executions.writer.ids.next(),
            path: path.to_owned(),
            version: 0,
            kind: "Playbook".to_owned(),
            name: path.to_owned(),
            description: None,
            content: playbook.to_string(),
            created_at: 0,
        };
        self.store.register(entry, None).await.unwrap().unwrap()
    }

    /// Starts an execution of two steps, `one` and `two`.
    pub(super) async fn start_two(&self) -> i64 {
        let steps = json!([step("one", Some("two")), step("two", None)]);
        let entry = self.register("two", &steps).await;
        self.start(&entry).await
    }

    pub(super) async fn start(&self, entry: &CatalogEntry) -> i64 {
        let started = self.executions.start(entry, Start::default()).await;
        started.unwrap().execution_id
    }

    pub(super) async fn row(&self, execution_id: i64) -> ExecutionRow {
        self.store.execution(execution_id).await.unwrap().unwrap()
    }

    /// The next command, claimed by a worker.
    pub(super) async fn claim(&self, worker: &str) -> Command {
        let mut claimed = self.executions.claim_some(worker, 1, NOW).await.unwrap();
        claimed.pop().expect("a command is due")
    }

    pub(super) async fn events(&self, execution_id: i64) -> Vec<String> {
        let events = self
            .store
            .events_after(execution_id, 0, 1000)
            .await
            .unwrap();
        events.into_iter().map(|event| event.event_type).collect()
    }
}

pub(super) fn executions(
    store: &Store,
    shard: i64,
    slots: usize,
) -> (Executions, UnboundedReceiver<Order>) {
    let (queue, orders) = LocalQueue::new("server-test".to_owned(), Slots::new(slots));
    let executions = Executions::new(store.clone(), Arc::new(Ids::new(shard)), queue);
    (executions, orders)
}

pub(super) fn step(name: &str, next: Option<&str>) -> Value {
    let mut step = json!({"step": name, "tool": {"kind": "noop"}});
    if let Some(next) = next {
        step["next"] = json!(next);
    }
    step
}

pub(super) fn outcome_of(result: Value) -> Outcome {
    Outcome {
        result,
        ..Outcome::default()
    }
}

fn id_of(command: &Command) -> i64 {
    command.execution_id.parse().unwrap()
}

#[tokio::test]
async fn an_execution_runs_by_claims_and_reports() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let mut watch = server.executions.changes().watch(id);
    let one = server.claim("w").await;
    assert_eq!((one.step.as_str(), id_of(&one)), ("one", id));
    let nothing = server.executions.claim_some("w", 1, NOW).await.unwrap();
    assert!(nothing.is_empty(), "it is held");
    let outcome = outcome_of(json!(1));
    let kept = server.executions.complete(id, &one.id, "w", &outcome).await;
    let kept = kept.unwrap();
    assert_eq!((kept.commands, kept.duplicate), (1, false));
    assert!(server.store.has_event(id, kept.event_id).await.unwrap());

    let two = server.claim("w").await;
    let outcome = outcome_of(json!(2));
    let kept = server.executions.complete(id, &two.id, "w", &outcome).await;
    assert_eq!(kept.unwrap().commands, 0);
    assert!(watch.wait_for_status(Duration::from_secs(600)).await);
    let row = server.row(id).await;
    assert_eq!(row.status, ExecutionStatus::Completed);
    assert_eq!((row.progress, row.result.as_deref()), (100, Some("2")));
    let events = server.events(id).await;
    assert_eq!(events.first().unwrap(), "playbook.initialized");
    assert_eq!(events.last().unwrap(), "playbook.completed");
}

#[tokio::test]
async fn an_outcome_is_accepted_once_and_only_from_the_holder() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let one = server.claim("w").await;
    let outcome = outcome_of(json!(1));
    let complete = async |worker| {
        server
            .executions
            .complete(id, &one.id, worker, &outcome)
            .await
    };
    assert!(matches!(complete("v").await, Err(RunError::Held(_))));
    let first = complete("w").await.unwrap();
    let again = complete("w").await.unwrap();
    assert_eq!((again.event_id, again.commands), (first.event_id, 0));
    assert!(again.duplicate);
    let events = server.events(id).await;
    let done = events.iter().filter(|event| *event == "call.done");
    assert_eq!(done.count(), 1);
}

#[tokio::test]
async fn another_server_restores_an_execution_from_the_log() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let one = server.claim("w").await;
    let mut outcome = outcome_of(json!({"n": 1}));
    outcome.ctx = Map::from_iter([("seen".to_owned(), json!(true))]);
    server
        .executions
        .complete(id, &one.id, "w", &outcome)
        .await
        .unwrap();
    let variables = Map::from_iter([("given".to_owned(), json!("x"))]);
    server
        .executions
        .set_variables(id, &variables)
        .await
        .unwrap();
    let known = server.executions.variables(id).await.unwrap();
    assert_eq!(
        (&known.0["seen"], &known.0["given"]),
        (&json!(true), &json!("x"))
    );

    let (other, _orders) = executions(&server.store, 1, 0);
    assert_eq!(other.variables(id).await.unwrap(), known);
    let two = other.claim_some("v", 1, NOW).await.unwrap().pop().unwrap();
    other
        .complete(id, &two.id, "v", &outcome_of(Value::Null))
        .await
        .unwrap();
    // The first server's machine is behind the store, and is restored.
    let (_, steps) = server.executions.variables(id).await.unwrap();
    assert_eq!(steps, ["one", "two"]);
    let late = server.executions.cancel(id, "late", true).await.unwrap();
    assert!(late.is_empty(), "it has ended");
}

#[tokio::test]
async fn a_cancellation_cascades_to_children() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let entry = server
        .register("child", &json!([step("start", None)]))
        .await;
    let start = Start {
        parent_execution_id: Some(id),
        ..Start::default()
    };
    let child = server.executions.start(&entry, start).await.unwrap();
    let cancelled = server.executions.cancel(id, "why", true).await.unwrap();
    assert_eq!(cancelled, [id, child.execution_id]);
    for id in cancelled {
        assert_eq!(server.row(id).await.status, ExecutionStatus::Cancelled);
    }
    assert!(server.executions.due(10).await.unwrap().is_empty());
    let again = server.executions.cancel(id, "why", true).await.unwrap();
    assert!(again.is_empty());
    let missing = server.executions.cancel(1, "why", true).await;
    assert!(matches!(missing, Err(RunError::NoExecution(1))));
}

#[tokio::test]
async fn the_servers_own_worker_gets_as_many_commands_as_it_has_slots() {
    let mut server = Server::new(1).await;
    let steps = json!([
        {"step": "start", "tool": {"kind": "shell", "cmds": "true"},
         "loop": {"in": [1, 2], "iterator": "i", "mode": "parallel"}},
    ]);
    let entry = server.register("loop", &steps).await;
    let id = server.start(&entry).await;
    let Some(Order::Run(own)) = server.orders.recv().await else {
        panic!("a command is ordered to run");
    };
    assert!(own.slot.is_some());
    let held = server
        .store
        .command(&own.command.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(held.worker_id.as_deref(), Some("server-test"));
    let waiting = server.executions.due(10).await.unwrap();
    assert_eq!(waiting.len(), 1, "there was one slot");
    server.executions.cancel(id, "why", true).await.unwrap();
    let mut stopped = Vec::new();
    while let Ok(Order::Stop(command_id)) = server.orders.try_recv() {
        stopped.push(command_id);
    }
    assert!(stopped.contains(&own.command.id), "{stopped:?}");
}

#[tokio::test]
async fn steps_that_do_nothing_run_in_the_transaction_that_issues_them() {
    let mut server = Server::new(1).await;
    let steps = json!([
        {"step": "start", "tool": {"kind": "noop", "args": {"n": 1}}, "next": "twice"},
        {"step": "twice", "tool": {"kind": "noop", "args": {"n": "{{ start.n * 2 }}"}}, "next": "last"},
        {"step": "last", "tool": {"kind": "shell", "cmds": "true"}},
    ]);
    let entry = server.register("quick", &steps).await;
    let id = server.start(&entry).await;
    let Some(Order::Run(own)) = server.orders.recv().await else {
        panic!("a command is ordered to run");
    };
    assert_eq!(own.command.step, "last");
    // A machine that is restored from the log stands at the same place.
    server.executions.machines.forget(id);
    let found = server.executions.look(id, |machine| {
        let waiting: Vec<_> = machine
            .commands()
            .map(|command| command.id.clone())
            .collect();
        (machine.step_result("twice"), waiting)
    });
    let (result, waiting) = found.await.unwrap();
    assert_eq!(result, Some(json!({"n": 2})));
    assert_eq!(waiting, [own.command.id.as_str()]);
}

#[tokio::test]
async fn a_server_without_slots_leaves_every_step_to_workers() {
    let server = Server::new(0).await;
    server.start_two().await;
    assert_eq!(server.executions.due(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_execution_that_cannot_be_restored_is_marked_as_failed() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let mut transaction = server.store.begin().await.unwrap();
    sqlx::query("UPDATE catalog SET content = 'kind: nothing'")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let (other, _orders) = executions(&server.store, 1, 0);
    assert!(other.claim_some("w", 1, NOW).await.unwrap().is_empty());
    let row = server.row(id).await;
    assert_eq!(row.status, ExecutionStatus::Failed);
    assert_eq!(row.error.as_deref(), Some("the playbook cannot run"));
    assert_eq!(server.events(id).await.last().unwrap(), "playbook.failed");
    let again = other
        .mark_failed(id, &Failure::new("finalized", "again"))
        .await;
    assert!(matches!(again, Err(RunError::Ended(_))));
}

#[tokio::test]
async fn a_call_starts_one_execution_and_returns_its_result() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    server
        .register("folder/child", &json!([step("start", None)]))
        .await;
    let call = SubPlaybook {
        path: "./child.yaml".to_owned(),
        version: None,
        payload: Map::new(),
        return_step: None,
        caller: "folder/caller@1".to_owned(),
        key: "key".to_owned(),
    };
    let child = server.executions.start_child(id, &call).await.unwrap();
    let again = server.executions.start_child(id, &call).await.unwrap();
    assert_eq!(again, child);
    let own = server.claim("w").await;
    assert_eq!(id_of(&own), id, "the oldest comes first");
    let command = server.claim("w").await;
    let outcome = outcome_of(json!("answer"));
    let complete = server
        .executions
        .complete(child, &command.id, "w", &outcome);
    let (ended, kept) = tokio::join!(server.executions.wait_for_end(child), complete);
    kept.unwrap();
    let status = ended.unwrap();
    assert_eq!(status, ExecutionStatus::Completed);
    let result = server.executions.child_result(child, None, status).await;
    assert_eq!(result.unwrap(), "answer");

    let missing = SubPlaybook {
        path: "elsewhere".to_owned(),
        key: "other".to_owned(),
        ..call.clone()
    };
    let failure = server.executions.start_child(id, &missing).await;
    assert!(failure.unwrap_err().message.contains("`elsewhere`"));
    server.executions.cancel(id, "why", false).await.unwrap();
    let failure = server.executions.start_child(id, &call).await.unwrap_err();
    assert!(failure.message.ends_with("has ended"), "{failure}");
}

#[tokio::test]
async fn a_failure_ends_the_execution_with_its_message() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let one = server.claim("w").await;
    let outcome = Outcome::failed(Failure::new("exit", "exit code 1"));
    server
        .executions
        .complete(id, &one.id, "w", &outcome)
        .await
        .unwrap();
    let row = server.row(id).await;
    assert_eq!(row.status, ExecutionStatus::Failed);
    assert!(row.error.unwrap().contains("exit code 1"));
    let playbook = json!([step("one", None)]);
    let entry = server.register("target", &playbook).await;
    let start = Start {
        target: Some("nowhere".to_owned()),
        ..Start::default()
    };
    let refused = server.executions.start(&entry, start).await;
    assert!(matches!(refused, Err(RunError::NoStep(_))));
}

#[tokio::test]
async fn reads_do_not_wait_for_a_transaction() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    server.executions.cancel(id, "why", false).await.unwrap();
    let transaction = server.store.begin().await.unwrap();
    let (_, steps) = server.executions.variables(id).await.unwrap();
    assert!(steps.is_empty());
    transaction.rollback().await;
}
