//! Migrations from the first version on, on a file of a test's own.

use std::path::Path;

use sqlx::Executor as _;
use tempfile::TempDir;

use super::{MIGRATIONS, Migration};
use crate::store::database::Store;
use crate::store::{Storage, StoreError};

const SECOND: Migration = Migration {
    version: 2,
    sql: "ALTER TABLE execution ADD COLUMN note TEXT;\n\
          CREATE TABLE IF NOT EXISTS label (name TEXT PRIMARY KEY);\n",
};
const THIRD: Migration = Migration {
    version: 3,
    sql: "-- A comment; with a semicolon inside it.\nUPDATE execution SET note = 'migrated';\n",
};
const BROKEN: Migration = Migration {
    version: 2,
    sql: "CREATE TABLE half (name TEXT);\nCREATE NONSENSE;\n",
};

/// A store that has its first version and one execution in it, closed again.
async fn first_version() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &MIGRATIONS[..1]).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO execution (execution_id, catalog_id, path, version, status, payload, progress, start_time, last_event_id) \
         VALUES (7, 1, 'p', 1, 'RUNNING', '{}', 0, 1, 0)",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    store.close().await;
    folder
}

async fn open(folder: &Path, migrations: &[Migration]) -> Result<Store, StoreError> {
    let storage = Storage::Sqlite(folder.join("noetl.db"));
    Store::open_with(&storage, migrations).await
}

fn later(migrations: &[Migration]) -> Vec<Migration> {
    [&MIGRATIONS[..1], migrations].concat()
}

async fn text(store: &Store, statement: &'static str) -> String {
    let (text,): (String,) = sqlx::query_as(statement)
        .fetch_one(store.reader())
        .await
        .unwrap();
    text
}

#[tokio::test]
async fn a_new_store_has_every_table_and_the_newest_version() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), MIGRATIONS).await.unwrap();
    assert!(store.missing_tables().await.is_empty());
    assert_eq!(
        store.setting("schema_version").await.unwrap(),
        MIGRATIONS.last().map(|last| last.version.to_string())
    );
}

#[test]
fn versions_are_numbered_without_a_gap() {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    assert!(versions.eq(1..=i64::try_from(MIGRATIONS.len()).unwrap()));
}

#[tokio::test]
async fn a_store_of_version_1_is_migrated_and_keeps_its_rows() {
    let folder = first_version().await;
    let store = open(folder.path(), &later(&[SECOND, THIRD])).await.unwrap();
    assert_eq!(
        store.setting("schema_version").await.unwrap().as_deref(),
        Some("3")
    );
    assert_eq!(text(&store, "SELECT path FROM execution").await, "p");
    let note = text(&store, "SELECT note FROM execution").await;
    assert_eq!(note, "migrated");
    store.close().await;
    // Opened once more, it is left as it is.
    open(folder.path(), &later(&[SECOND, THIRD])).await.unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = first_version().await;
    let store = open(folder.path(), &later(&[SECOND])).await.unwrap();
    store.close().await;
    let error = open(folder.path(), &MIGRATIONS[..1]).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }));
    assert_eq!(
        error.to_string(),
        "the store has schema 2, and this NoETL knows schemas up to 1"
    );
    open(folder.path(), &later(&[SECOND])).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_version_before_it() {
    let folder = first_version().await;
    let error = open(folder.path(), &later(&[BROKEN])).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error}");
    let store = open(folder.path(), MIGRATIONS).await.unwrap();
    let half = sqlx::query("SELECT 1 FROM half")
        .fetch_optional(store.reader())
        .await;
    assert!(half.is_err(), "nothing of it is left");
}

#[tokio::test]
async fn tables_that_were_lost_are_created_again() {
    let folder = first_version().await;
    let store = open(folder.path(), MIGRATIONS).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    for statement in ["DROP TABLE runtime", "DROP TABLE command"] {
        transaction.execute(statement).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(store.missing_tables().await, ["command", "runtime"]);
    store.complete_schema().await.unwrap();
    assert!(store.missing_tables().await.is_empty());
    assert!(store.execution(7).await.unwrap().is_some());
    // The table has the columns of later versions, too.
    assert!(store.command("1:a:1").await.unwrap().is_none());
}
