//! What an execution that retries another one runs, and what it keeps.

use noetl_api::{ExecutionStatus, Failure};
use noetl_engine::execution::{Command, Outcome};
use serde_json::{Map, Value, json};

use super::super::tests::{NOW, Server, executions, outcome_of, step};
use super::super::{RunError, Start};
use crate::store::CatalogEntry;

fn failed() -> Outcome {
    Outcome::failed(Failure::new("exit", "it broke"))
}

impl Server {
    /// Gives the next command its outcome; returns the command.
    async fn report(&self, outcome: &Outcome) -> Command {
        let command = self.claim("w").await;
        let id = command.execution_id.parse().unwrap();
        let told = self.executions.complete(id, &command.id, "w", outcome);
        told.await.unwrap();
        command
    }

    async fn retry(&self, id: i64, entry: &CatalogEntry) -> Result<i64, RunError> {
        let row = self.row(id).await;
        let started = self.executions.retry(row, entry, None).await?;
        Ok(started.execution_id)
    }

    async fn claimable(&self) -> usize {
        self.executions.due(100).await.unwrap().len()
    }
}

/// The values that a command's templates see of a step.
fn seen(command: &Command, step: &str) -> Value {
    serde_json::to_value(command).unwrap()["context"][step].clone()
}

#[tokio::test]
async fn only_what_failed_and_what_follows_it_is_run() {
    let server = Server::new(0).await;
    let mut two = step("two", Some("three"));
    two["tool"]["args"] = json!({"given": "{{ one }}"});
    let steps = json!([step("one", Some("two")), two, step("three", None)]);
    let entry = server.register("p", &steps).await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!({"n": 1}))).await;
    server.report(&failed()).await;
    assert_eq!(server.row(first).await.status, ExecutionStatus::Failed);

    let second = server.retry(first, &entry).await.unwrap();
    assert_eq!(server.claimable().await, 1);
    let row = server.row(second).await;
    assert_eq!(
        (row.retried_id, row.status),
        (Some(first), ExecutionStatus::Running)
    );
    // Another server restores it from its own log.
    let (other, _orders) = executions(&server.store, 1, 0);
    assert_eq!(other.variables(second).await.unwrap().1, ["one"]);
    let two = other.claim_some("v", 1, NOW).await.unwrap().pop().unwrap();
    assert_eq!(
        (two.step.as_str(), seen(&two, "one")),
        ("two", json!({"n": 1}))
    );
    let outcome = outcome_of(json!(2));
    let told = other.complete(second, &two.id, "v", &outcome);
    told.await.unwrap();
    assert_eq!(server.report(&outcome_of(json!(3))).await.step, "three");
    let row = server.row(second).await;
    assert_eq!(row.status, ExecutionStatus::Completed);
    let done = server.events(second).await;
    assert_eq!(done.iter().filter(|name| *name == "call.done").count(), 3);
    assert_eq!(server.row(first).await.status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn the_items_of_a_loop_that_ended_well_are_kept() {
    let server = Server::new(0).await;
    let steps = json!([{"step": "each", "loop": {"in": ["a", "b", "c"], "iterator": "it"},
        "tool": {"kind": "noop"}}]);
    let entry = server.register("loop", &steps).await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!("A"))).await;
    server.report(&failed()).await;
    let second = server.retry(first, &entry).await.unwrap();
    assert_eq!(
        server.report(&outcome_of(json!("B"))).await.iteration,
        Some(1)
    );
    assert_eq!(
        server.report(&outcome_of(json!("C"))).await.iteration,
        Some(2)
    );
    let row = server.row(second).await;
    assert_eq!(row.status, ExecutionStatus::Completed);
    let result: Value = serde_json::from_str(&row.result.unwrap()).unwrap();
    assert_eq!(result["results"], json!(["A", "B", "C"]));
}

#[tokio::test]
async fn a_failure_that_a_rule_has_handled_is_kept() {
    let server = Server::new(0).await;
    let steps = json!([
        {"step": "try", "tool": {"kind": "noop"},
         "case": [{"when": "{{ event.name == 'call.error' }}", "then": [{"next": [{"step": "instead"}]}]}]},
        step("instead", Some("last")),
        step("last", None),
    ]);
    let entry = server.register("rule", &steps).await;
    let first = server.start(&entry).await;
    server.report(&failed()).await;
    assert_eq!(server.report(&outcome_of(json!(1))).await.step, "instead");
    assert_eq!(server.report(&failed()).await.step, "last");
    server.retry(first, &entry).await.unwrap();
    assert_eq!(server.claimable().await, 1);
    assert_eq!(server.claim("w").await.step, "last");
}

/// A loop over items, whose failed calls are made up to three times.
fn tried_three_times(items: &[&str]) -> Value {
    json!([{"step": "each", "loop": {"in": items, "iterator": "it"}, "tool": {"kind": "noop"},
        "case": [{"when": "{{ event.name == 'call.error' }}",
            "then": {"retry": {"max_attempts": 3, "initial_delay": 0}}}]}])
}

#[tokio::test]
async fn an_item_that_ended_well_at_another_attempt_is_kept() {
    let server = Server::new(0).await;
    let entry = server
        .register("tries", &tried_three_times(&["a", "b", "c"]))
        .await;
    let first = server.start(&entry).await;
    for outcome in [failed(), outcome_of(json!("A")), outcome_of(json!("B"))] {
        server.report(&outcome).await;
    }
    for attempt in 1..=3 {
        assert_eq!(server.report(&failed()).await.attempt, attempt);
    }
    assert_eq!(server.row(first).await.status, ExecutionStatus::Failed);
    let second = server.retry(first, &entry).await.unwrap();
    let last = server.report(&outcome_of(json!("C"))).await;
    assert_eq!((last.iteration, last.attempt), (Some(2), 1));
    let result: Value = serde_json::from_str(&server.row(second).await.result.unwrap()).unwrap();
    assert_eq!(result["results"], json!(["A", "B", "C"]));
}

#[tokio::test]
async fn a_result_is_not_given_to_another_item_or_to_other_arguments() {
    let server = Server::new(0).await;
    let entry = server
        .register("items", &tried_three_times(&["a", "b"]))
        .await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!("A"))).await;
    server.executions.cancel(first, "why", true).await.unwrap();
    let entry = server
        .register("items", &tried_three_times(&["x", "b"]))
        .await;
    server.retry(first, &entry).await.unwrap();
    assert_eq!(server.claim("w").await.iteration, Some(0));

    let with = |value: i64| {
        json!([
            {"step": "start", "tool": {"kind": "noop"}, "next": [{"step": "use", "args": {"n": value}}]},
            step("use", Some("last")), step("last", None),
        ])
    };
    let entry = server.register("args", &with(1)).await;
    let first = server.start(&entry).await;
    for outcome in [outcome_of(json!(1)), outcome_of(json!(2)), failed()] {
        server.report(&outcome).await;
    }
    let entry = server.register("args", &with(2)).await;
    server.retry(first, &entry).await.unwrap();
    assert_eq!(server.claim("w").await.step, "use");
}

#[tokio::test]
async fn a_call_that_a_rule_judged_a_failure_is_made_again() {
    let server = Server::new(0).await;
    let steps = json!([
        step("one", Some("two")),
        {"step": "two", "tool": {"kind": "noop"},
         "case": [{"when": "{{ event.name == 'call.done' and response.state == 'error' }}", "then": [{"fail": "bad"}]}]},
    ]);
    let entry = server.register("judged", &steps).await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!(1))).await;
    server.report(&outcome_of(json!({"state": "error"}))).await;
    assert_eq!(server.row(first).await.status, ExecutionStatus::Failed);
    let second = server.retry(first, &entry).await.unwrap();
    let two = server.report(&outcome_of(json!({"state": "fine"}))).await;
    assert_eq!(two.step, "two");
    assert_eq!(server.row(second).await.status, ExecutionStatus::Completed);
}

#[tokio::test]
async fn steps_that_run_after_a_failure_run_after_each() {
    let server = Server::new(0).await;
    let mut one = step("one", None);
    one["on_error"] = json!("tidy");
    let entry = server
        .register("tidy", &json!([one, step("tidy", None)]))
        .await;
    let first = server.start(&entry).await;
    server.report(&failed()).await;
    assert_eq!(server.report(&outcome_of(json!(1))).await.step, "tidy");
    assert_eq!(server.row(first).await.status, ExecutionStatus::Failed);
    server.retry(first, &entry).await.unwrap();
    assert_eq!(server.report(&failed()).await.step, "one");
    assert_eq!(server.claim("w").await.step, "tidy");
}

#[tokio::test]
async fn templates_see_the_id_of_the_first_execution() {
    let server = Server::new(0).await;
    let mut two = step("two", None);
    two["tool"]["args"] = json!({"id": "{{ execution_id }}"});
    let entry = server
        .register("id", &json!([step("one", Some("two")), two]))
        .await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!(1))).await;
    server.report(&failed()).await;
    let second = server.retry(first, &entry).await.unwrap();
    server.report(&failed()).await;
    let third = server.retry(second, &entry).await.unwrap();
    let (other, _orders) = executions(&server.store, 1, 0);
    let two = other.claim_some("v", 1, NOW).await.unwrap().pop().unwrap();
    assert_eq!(two.execution_id, third.to_string());
    assert_eq!(seen(&two, "execution_id"), json!(first.to_string()));
}

#[tokio::test]
async fn a_newer_version_has_the_results_of_the_older_one() {
    let server = Server::new(0).await;
    let old = json!([step("one", Some("two")), step("two", None)]);
    let entry = server.register("p", &old).await;
    let first = server.start(&entry).await;
    server.report(&outcome_of(json!(1))).await;
    server.report(&failed()).await;
    let new = json!([step("one", Some("repaired")), step("repaired", None)]);
    let entry = server.register("p", &new).await;
    let second = server.retry(first, &entry).await.unwrap();
    assert_eq!(server.report(&outcome_of(json!(2))).await.step, "repaired");
    let row = server.row(second).await;
    assert_eq!(
        (row.status, row.version),
        (ExecutionStatus::Completed, entry.version)
    );
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused() {
    let server = Server::new(0).await;
    let entry = server.register("p", &json!([step("one", None)])).await;
    let id = server.start(&entry).await;
    let refused = server.retry(id, &entry).await;
    assert!(matches!(refused, Err(RunError::NotEnded(_))), "{refused:?}");
    server.report(&outcome_of(json!(1))).await;
    let refused = server.retry(id, &entry).await;
    assert!(
        matches!(refused, Err(RunError::Completed(_))),
        "{refused:?}"
    );

    let id = server.start(&entry).await;
    let variables = Map::from_iter([("given".to_owned(), json!("x"))]);
    server
        .executions
        .set_variables(id, &variables)
        .await
        .unwrap();
    server.report(&failed()).await;
    let refused = server.retry(id, &entry).await;
    assert!(
        matches!(refused, Err(RunError::VariablesWereSet(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_retry_that_is_asked_for_twice_with_one_key_is_one() {
    let server = Server::new(0).await;
    let entry = server.register("p", &json!([step("one", None)])).await;
    let first = server.start(&entry).await;
    server.report(&failed()).await;
    let retry = async || {
        let key = Some("k".to_owned());
        let row = server.row(first).await;
        server.executions.retry(row, &entry, key).await
    };
    let second = retry().await.unwrap().execution_id;
    assert_eq!(retry().await.unwrap().execution_id, second);
    let start = Start {
        idempotency_key: Some("k".to_owned()),
        ..Start::default()
    };
    let other = server.executions.start(&entry, start).await;
    assert!(matches!(other, Err(RunError::OtherRequest(_))), "{other:?}");
}
