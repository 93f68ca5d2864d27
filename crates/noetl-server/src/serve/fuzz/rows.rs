//! Drawn values in the rows of the store, as a damaged file or another program may leave them.

use sqlx::Executor as _;

use super::client::Client;
use super::operations::{Drawn, Operations};
use super::{Target, begin, config, in_rounds};
use crate::serve::Server;
use crate::store::{Store, TABLES};

/// After how many values the rows are brought back to what they were.
const DAMAGES: usize = 25;

/// The columns of all tables but the settings, which are read at the start alone.
async fn columns(store: &Store) -> Vec<(&'static str, String)> {
    let mut columns = Vec::new();
    for table in TABLES.into_iter().filter(|table| *table != "setting") {
        let statement = format!("SELECT name FROM pragma_table_info('{table}')");
        let found: Vec<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .fetch_all(&mut *store.read().await.unwrap())
            .await
            .unwrap();
        columns.extend(found.into_iter().map(|(column,)| (table, column)));
    }
    columns
}

/// Keeps a copy of each table, to bring back.
async fn keep(store: &Store) {
    let mut transaction = store.begin().await.unwrap();
    for table in TABLES {
        let statement = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
        transaction
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn bring_back(store: &Store) {
    let mut transaction = store.begin().await.unwrap();
    for table in TABLES {
        let statement =
            format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}");
        transaction
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

/// Puts a drawn value into a row. What the column's constraints refuse is left out.
async fn damage(store: &Store, operations: &mut Operations, columns: &[(&str, String)]) -> String {
    let (table, column) = operations.draw.pick(columns).unwrap().clone();
    let mut transaction = store.begin().await.unwrap();
    let count = format!("SELECT COUNT(*), CAST(MAX({column}) AS TEXT) FROM {table}");
    let (rows, some): (i64, Option<String>) = sqlx::query_as(sqlx::AssertSqlSafe(count))
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    let row = operations.draw.0.i64(..rows.max(1));
    let value = match operations.draw.0.u8(..6) {
        0 => None,
        1 => Some(operations.draw.0.i64(..).to_string()),
        2 => Some(operations.draw.json(3).to_string()),
        3 => some
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .map(|mut json| {
                operations.draw.change(&mut json);
                json.to_string()
            }),
        _ => Some(operations.draw.text()),
    };
    let statement = format!(
        "UPDATE OR IGNORE {table} SET {column} = $1 WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {row})"
    );
    let update = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&value);
    match update.execute(&mut *transaction).await {
        Ok(_) => transaction.commit().await.unwrap(),
        Err(_) => transaction.rollback().await,
    }
    format!("{table}.{column} = {value:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_of_a_row_is_answered_with_a_failure_of_the_server() {
    in_rounds("rows", 2_000, async |count, seed| {
        let target = Target::start().await;
        let mut operations = Operations::new(seed);
        let mut client = Client::new(&target.url);
        for answer in begin(&mut client).await {
            operations.learn(&answer);
        }
        keep(&target.store).await;
        let columns = columns(&target.store).await;
        let mut damages = Vec::new();
        for input in 0..count {
            if damages.len() == DAMAGES {
                bring_back(&target.store).await;
                damages.clear();
            }
            damages.push(damage(&target.store, &mut operations, &columns).await);
            let Drawn { method, path, body } = operations.request();
            let shown = body.clone().unwrap_or_default();
            let Some(answer) = client.send(&method, &path, body).await else {
                continue;
            };
            assert!(
                answer.status < 500,
                "input {input} of seed {seed}: {method} {path} {}: {} {}\n{damages:#?}",
                shown.escape_ascii(),
                answer.status,
                answer.body.escape_ascii(),
            );
        }
        // A server starts on the damaged store, or says why it does not.
        let folder = target.stop().await;
        let started = Server::bind(config(folder.path())).await;
        println!(
            "rows: {:?}",
            started
                .map(|server| server.address())
                .map_err(|error| error.to_string())
        );
    })
    .await;
}
