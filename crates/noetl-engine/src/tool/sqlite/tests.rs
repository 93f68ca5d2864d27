//! Tests against SQLite files.

use serde_json::json;

use crate::playbook::ToolKind::Sqlite;
use crate::tool::tests::TestHost;

#[tokio::test]
async fn a_script_is_run_statement_by_statement() {
    let host = TestHost::new();
    let config = json!({"database": "data/new/test.db", "query": "
        CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size REAL, raw BLOB, active BOOLEAN);
        INSERT INTO t VALUES (1, 'one; two', 1.5, x'ff00', TRUE), (2, NULL, NULL, NULL, NULL);
        SELECT * FROM t ORDER BY id;
        UPDATE t SET size = 2"});
    let result = host.run(Sqlite, config).await.unwrap();
    assert_eq!(result["command_0"]["row_count"], 0);
    assert_eq!(result["command_1"]["row_count"], 2);
    assert_eq!(result["command_3"]["row_count"], 2);
    assert_eq!(
        result["rows"],
        json!([
            {"id": 1, "name": "one; two", "size": 1.5, "raw": "/wA=", "active": 1},
            {"id": 2, "name": null, "size": null, "raw": null, "active": null},
        ])
    );
    assert_eq!(
        result["columns"],
        json!(["id", "name", "size", "raw", "active"])
    );
    assert_eq!(result["row_count"], 2);
    assert!(host.folder.path().join("data/new/test.db").exists());
}

#[tokio::test]
async fn parameters_are_bound() {
    let host = TestHost::new();
    let create = json!({"db": "p.db", "command": "CREATE TABLE p (a, b, c, d, e, f)"});
    host.run(Sqlite, create).await.unwrap();
    let values = json!([1, 2.5, "it's; --", null, true, {"k": [1]}]);
    let insert =
        json!({"db": "p.db", "sql": "INSERT INTO p VALUES (?, ?, ?, ?, ?, ?)", "params": values});
    let inserted = host.run(Sqlite, insert).await.unwrap();
    assert_eq!(inserted["row_count"], 1);
    let select =
        json!({"db": "p.db", "query": "SELECT * FROM p WHERE c = $1", "params": ["it's; --"]});
    let found = host.run(Sqlite, select).await.unwrap();
    assert_eq!(
        found["rows"],
        json!([{"a": 1, "b": 2.5, "c": "it's; --", "d": null, "e": 1, "f": "{\"k\":[1]}"}])
    );
    let several = json!({"db": "p.db", "query": "SELECT 1; SELECT ?", "params": [1]});
    assert_eq!(host.run(Sqlite, several).await.unwrap_err().kind, "config");
}

#[tokio::test]
async fn the_items_of_a_list_are_one_script() {
    let config = json!({"database": ":memory:", "commands": [
        "CREATE TABLE t (a) -- first", "INSERT INTO t VALUES (1);", "SELECT a, a FROM t",
    ]});
    let result = TestHost::new().run(Sqlite, config).await.unwrap();
    assert_eq!(result["rows"], json!([{"a": 1, "a_2": 1}]));
    assert!(result.get("command_2").is_some() && result.get("command_3").is_none());
}

#[tokio::test]
async fn failures_have_the_codes_of_sqlite() {
    let host = TestHost::new();
    let config = json!({"database": ":memory:", "query": "
        CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)"});
    let failure = host.run(Sqlite, config).await.unwrap_err();
    assert_eq!(failure.kind, "sql");
    assert_eq!(failure.code, Some(json!("2067")));
    assert!(failure.message.contains("UNIQUE constraint failed: t.a"));
    let nameless = host.run(Sqlite, json!({"query": "SELECT 1"})).await;
    assert!(nameless.unwrap_err().message.contains("`database`"));
    let missing = host.run(Sqlite, json!({"database": ":memory:"})).await;
    assert!(missing.unwrap_err().message.contains("`query`"));
}

#[tokio::test]
async fn a_dropped_statement_is_stopped_and_releases_its_file() {
    let host = TestHost::new();
    let run = |sql: &str| host.run(Sqlite, json!({"database": "d.db", "query": sql}));
    run("CREATE TABLE t (a)").await.unwrap();
    let endless = "BEGIN IMMEDIATE; INSERT INTO t
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    {
        let endless = run(endless);
        // The endless statement has begun when it locks this one out.
        let locked_out = async {
            let write = "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK";
            while run(write).await.is_ok() {}
        };
        tokio::select! {
            ended = endless => panic!("the statement ended by itself: {ended:?}"),
            () = locked_out => {}
        }
    }
    run("INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(
        run("SELECT a FROM t").await.unwrap()["rows"],
        json!([{"a": 1}])
    );
}
