//! Commands whose holders end: by a lapsed lease, by giving them back, or by a crash.

use noetl_api::ExecutionStatus;
use serde_json::Value;

use crate::executions::RunError;
use crate::executions::tests::{NOW, Server, outcome_of};

#[tokio::test]
async fn a_lapsed_lease_is_claimed_by_another_worker() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let one = server.claim("w").await;
    let held = [one.id.clone()];
    server.store.renew("w", &held, 0).await.unwrap();
    let again = server.claim("v").await;
    assert_eq!(again.id, one.id);
    assert_eq!(server.store.renew("w", &held, 0).await.unwrap(), held);
    let outcome = outcome_of(Value::Null);
    let late = server.executions.complete(id, &one.id, "w", &outcome).await;
    assert!(matches!(late, Err(RunError::Held(_))));
    server.executions.release("v").await.unwrap();
    assert_eq!(server.claim("w").await.id, one.id);
}

#[tokio::test]
async fn a_command_that_ends_its_holders_fails_its_execution() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    let one = server.claim("w").await;
    let outcome = outcome_of(Value::Null);
    server
        .executions
        .complete(id, &one.id, "w", &outcome)
        .await
        .unwrap();
    for name in ["a", "b", "c"] {
        let two = server.claim(name).await;
        assert_eq!(two.step, "two", "a step with an outcome is not run again");
        // Its lease lapses without an outcome.
        let held = [two.id.clone()];
        server.store.renew(name, &held, 0).await.unwrap();
    }
    let claimed = server.executions.claim_some("d", 1, NOW).await.unwrap();
    assert!(claimed.is_empty());
    let row = server.row(id).await;
    assert_eq!(row.status, ExecutionStatus::Failed);
    let error = row.error.unwrap();
    assert!(error.contains("step `two` is not run again"), "{error}");
    assert!(error.contains("3 times"), "{error}");
    let events = server.events(id).await;
    let count = |name| events.iter().filter(|event| *event == name).count();
    assert_eq!((count("call.done"), count("playbook.failed")), (1, 1));
}

#[tokio::test]
async fn a_command_that_is_given_back_is_not_counted_as_lost() {
    let server = Server::new(0).await;
    server.start_two().await;
    for name in ["a", "b", "c", "d"] {
        let one = server.claim(name).await;
        assert_eq!(one.step, "one");
        server.executions.release(name).await.unwrap();
    }
}
