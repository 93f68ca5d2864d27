//! Transactions that fail, on a file of a test's own.

use crate::store::tests::{execution, insert, new_store};
use crate::store::{Cause, ExecutionFilter, Storage, Store, StoreError};

/// Adds executions until one is refused, and returns the ids of those that were acknowledged, and the error.
async fn fill(store: &Store, first: i64) -> (Vec<i64>, StoreError) {
    let mut acknowledged = Vec::new();
    for id in first.. {
        let payload = "x".repeat(5_000);
        let added = async {
            let mut transaction = store.begin().await?;
            Store::insert_execution(&mut transaction, &execution(id, "p"), &payload).await?;
            transaction.commit().await
        };
        match added.await {
            Ok(()) => acknowledged.push(id),
            Err(error) => return (acknowledged, error),
        }
    }
    unreachable!("there are more ids than room")
}

#[tokio::test]
async fn what_was_acknowledged_before_and_after_a_full_disk_is_kept() {
    let (folder, store) = new_store().await;
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        // A connection's limit of pages: beyond it, SQLite fails as it does on a full disk.
        let mut transaction = store.begin().await.unwrap();
        let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        let limit = format!("PRAGMA max_page_count = {}", pages + 40);
        sqlx::query(sqlx::AssertSqlSafe(limit))
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let (ids, error) = fill(&store, round * 1000).await;
        assert_eq!(error.cause(), Some(Cause::DiskFull), "{error}");
        assert!(!ids.is_empty());
        acknowledged.extend(ids);
        // The connection that failed is closed, and its limit with it.
        assert!(insert(&store, &execution(round, "p")).await);
        acknowledged.push(round);
    }
    // Another store on the same file sees what is kept, without the connections of the first.
    let storage = Storage::Sqlite(folder.path().join("noetl.db"));
    let other = Store::open(&storage).await.unwrap();
    for id in &acknowledged {
        assert!(other.execution(*id).await.unwrap().is_some(), "{id}");
    }
    let every = ExecutionFilter::default();
    let total = other.count_executions(&every).await.unwrap();
    assert_eq!(total, i64::try_from(acknowledged.len()).unwrap());
}

#[tokio::test]
async fn a_transaction_that_is_not_ended_keeps_nothing() {
    let (_folder, store) = new_store().await;
    for is_rolled_back in [true, false] {
        let mut transaction = store.begin().await.unwrap();
        Store::insert_execution(&mut transaction, &execution(1, "p"), "{}")
            .await
            .unwrap();
        if is_rolled_back {
            transaction.rollback().await;
        } else {
            drop(transaction);
        }
        assert!(store.execution(1).await.unwrap().is_none());
    }
    assert!(insert(&store, &execution(1, "p")).await);
}

#[tokio::test]
async fn a_commit_without_a_transaction_is_an_error() {
    let (_folder, store) = new_store().await;
    let mut transaction = store.begin().await.unwrap();
    // SQLite ends a transaction like this when a disk fails.
    sqlx::query("ROLLBACK")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert!(transaction.commit().await.is_err());
    assert!(insert(&store, &execution(1, "p")).await);
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("noetl.db");
    std::fs::write(&file, "not a database".repeat(1000)).unwrap();
    // A pool would try again until a timeout, and not say why.
    let error = Store::open(&Storage::Sqlite(file)).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::NotADatabase), "{error}");
}
