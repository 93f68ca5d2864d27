//! Tests of DuckDB, with its command or its Python module, on machines that have one of them.

use serde_json::{Value as Json, json};

use super::output;
use crate::playbook::ToolKind::{Duckdb, Sink};
use crate::tool::sql::split;
use crate::tool::tests::{TestHost, print_skip};

/// Whether this machine has DuckDB; prints a notice when it does not.
async fn is_installed(host: &TestHost) -> bool {
    match host.run(Duckdb, json!({"query": "SELECT 1"})).await {
        Ok(_) => true,
        Err(failure) => {
            assert_eq!(failure.kind, "duckdb", "{failure}");
            // It is part of neither Debian nor the pinned tools.
            print_skip(&failure.message);
            false
        }
    }
}

#[tokio::test]
async fn a_script_is_run_statement_by_statement() {
    let host = TestHost::new();
    if !is_installed(&host).await {
        return;
    }
    let config = json!({"database": "new/d.duckdb", "query": "
        CREATE TABLE t (a INT, b VARCHAR);
        INSERT INTO t VALUES (1, 'x;y'), (2, NULL);
        SELECT sum(a) AS s, sum(a) AS s, 1.5::DECIMAL(4,2) AS d, 'nan'::DOUBLE AS n, [1, 2] AS l, {'k': 1} AS o,
            DATE '2024-01-02' AS day, true AS yes FROM t;"});
    let result = host.run(Duckdb, config).await.unwrap();
    let row = json!({
        "s": 3, "s_2": 3, "d": 1.5, "n": null, "l": [1, 2], "o": {"k": 1}, "day": "2024-01-02", "yes": true,
    });
    assert_eq!(result["rows"], json!([row]));
    assert_eq!(result["command_2"]["row_count"], 1);
    let again = json!({"db": "new/d.duckdb", "command": "SELECT a FROM t WHERE a > 5"});
    let result = host.run(Duckdb, again).await.unwrap();
    assert_eq!(result["rows"], json!([]));
    assert_eq!(result["columns"], json!(["a"]));
}

#[tokio::test]
async fn failures_have_the_messages_of_duckdb() {
    let host = TestHost::new();
    if !is_installed(&host).await {
        return;
    }
    let failure = host
        .run(Duckdb, json!({"query": "SELECT * FROM nowhere"}))
        .await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind, "sql");
    assert!(
        failure.message.contains("nowhere does not exist"),
        "{failure}"
    );
    assert_eq!(failure.code, Some(json!("CatalogError")));
}

#[tokio::test]
async fn rows_are_saved() {
    let host = TestHost::new();
    if !is_installed(&host).await {
        return;
    }
    let query = |sql: &str| host.run(Duckdb, json!({"database": "s.db", "query": sql}));
    query("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR, seen TIMESTAMP)")
        .await
        .unwrap();
    let save = |data: Json, mode: &str| {
        let target =
            json!({"type": "duckdb", "database": "s.db", "table": "t", "mode": mode, "key": "id"});
        host.run(Sink, json!({"target": target, "data": data}))
    };
    let rows = json!([{"id": 1, "name": "it's; 'x'", "seen": "2024-01-02 03:04:05"}, {"id": 2}]);
    save(rows, "append").await.unwrap();
    save(json!([{"id": 2, "name": "two"}]), "upsert")
        .await
        .unwrap();
    let found = query("SELECT id, name FROM t ORDER BY id").await.unwrap();
    assert_eq!(
        found["rows"],
        json!([{"id": 1, "name": "it's; 'x'"}, {"id": 2, "name": "two"}])
    );
    assert_eq!(
        save(json!([{"id": 5}, {"id": 5}]), "replace")
            .await
            .unwrap_err()
            .kind,
        "sql"
    );
    assert_eq!(query("SELECT * FROM t").await.unwrap()["row_count"], 2);
}

#[test]
fn the_output_of_the_command_is_read() {
    let statements = split(
        "create table t (a int); select a, a from t; explain select 1; describe t; select 1 where false",
    );
    let printed = r#"[{"noetl_statement_end":1}]
[{"column_name":"a","column_type":"HUGEINT"},
{"column_name":"a","column_type":"DOUBLE"}]
[{"a":"12","a":NaN},
{"a":"170141183460469231731687303715884105727","a":-Infinity}]
[{"noetl_statement_end":1}]
a plan
[{"noetl_statement_end":1}]
[{"column_name":"a","column_type":"INTEGER","note":"NaN"}]
[{"noetl_statement_end":1}]
[{"column_name":"1","column_type":"INTEGER"}]
[]
[{"noetl_statement_end":1}]
"#;
    let json = output::read(printed, &statements).into_json(&statements);
    assert_eq!(json["command_0"]["columns"], json!([]));
    let huge = "170141183460469231731687303715884105727";
    assert_eq!(
        json["command_1"]["rows"],
        json!([{"a": 12, "a_2": null}, {"a": huge, "a_2": null}])
    );
    assert_eq!(json["command_2"]["rows"], json!([{"output": "a plan"}]));
    assert_eq!(json["command_3"]["rows"][0]["note"], "NaN");
    assert_eq!(
        json["command_4"],
        json!({"rows": [], "columns": ["1"], "row_count": 0})
    );
}
