//! Variables of executions, and large values among them.

use noetl_api::ExecutionStatus;
use serde_json::{Map, Value, json};

use crate::executions::tests::{NOW, Server, executions, outcome_of, step};

#[tokio::test]
async fn what_is_asked_after_the_end_is_not_restored_from_the_log() {
    let server = Server::new(0).await;
    let id = server.start_two().await;
    // A zero character, and the text of its escape in JSON.
    let variables = Map::from_iter([("given".to_owned(), json!("\0 \\u0000"))]);
    server
        .executions
        .set_variables(id, &variables)
        .await
        .unwrap();
    for _ in 0..2 {
        let command = server.claim("w").await;
        let outcome = outcome_of(json!(1));
        let complete = server.executions.complete(id, &command.id, "w", &outcome);
        complete.await.unwrap();
    }
    let mut transaction = server.store.begin().await.unwrap();
    sqlx::query("DELETE FROM event")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let (other, _orders) = executions(&server.store, 1, 0);
    let (known, steps) = other.variables(id).await.unwrap();
    assert_eq!(
        (&known, steps),
        (&variables, vec!["one".to_owned(), "two".to_owned()])
    );
}

#[tokio::test]
async fn a_large_result_is_stored_once_and_restored() {
    let server = Server::new(0).await;
    let mut one = step("one", Some("two"));
    one["set"] = json!({"kept": "{{ one }}", "small": "{{ one.small }}"});
    let mut two = step("two", None);
    two["args"] = json!({"given": "{{ one.rows }}"});
    let entry = server.register("large", &json!([one, two])).await;
    let id = server.start(&entry).await;
    let rows: Vec<Value> = (0..50_000).map(|n| json!({"row": n})).collect();
    let result = json!({"rows": rows, "small": 1});
    let command = server.claim("w").await;
    let complete = server
        .executions
        .complete(id, &command.id, "w", &outcome_of(result.clone()))
        .await;
    complete.unwrap();
    // Another server has nothing in memory.
    let (other, _orders) = executions(&server.store, 1, 0);
    let command = other.claim_some("w", 1, NOW).await.unwrap().pop().unwrap();
    assert_eq!(command.args["given"], result["rows"]);
    let (running, _) = other.variables(id).await.unwrap();
    assert_eq!(running["small"], 1);
    assert_eq!(running["kept"]["href"], format!("/api/vars/{id}/kept"));
    other
        .complete(id, &command.id, "w", &outcome_of(result.clone()))
        .await
        .unwrap();
    assert_eq!(server.row(id).await.status, ExecutionStatus::Completed);
    let (ended, _) = other.variables(id).await.unwrap();
    assert_eq!(ended, running, "the sizes as well");
    assert_eq!(other.variable(id, "kept").await.unwrap().unwrap(), result);
    assert_eq!(other.variable(id, "none").await.unwrap(), None);
    let whole = server.store.final_result(id, None).await.unwrap();
    assert_eq!(whole, result);
    let mut connection = server.store.read().await.unwrap();
    let (contents, events): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT SUM(OCTET_LENGTH(text)) FROM content), (SELECT SUM(OCTET_LENGTH(COALESCE(context, '')) \
         + OCTET_LENGTH(COALESCE(result, '')) + OCTET_LENGTH(COALESCE(meta, ''))) FROM event)",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let bytes = i64::try_from(result["rows"].to_string().len()).unwrap();
    assert_eq!(contents, bytes, "one copy");
    assert!(events < 10_000);
}
