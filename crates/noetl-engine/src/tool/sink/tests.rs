//! Tests of sinks that need no server.

use serde_json::{Value as Json, json};

use crate::playbook::ToolKind::{Sink, Sqlite};
use crate::tool::tests::TestHost;
use noetl_api::Failure;

async fn save(host: &TestHost, config: Json, args: Json) -> Result<Json, Failure> {
    host.run_with(Sink, config, args, json!({})).await
}

fn text(host: &TestHost, name: &str) -> String {
    std::fs::read_to_string(host.folder.path().join(name)).unwrap()
}

#[tokio::test]
async fn files_are_written_in_the_format_of_their_name() {
    let host = TestHost::new();
    let config = json!({"target": {"type": "file", "path": "new/out.json"}});
    let saved = save(&host, config.clone(), json!({"b": 1, "a": [2]}))
        .await
        .unwrap();
    assert_eq!(
        text(&host, "new/out.json"),
        "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n"
    );
    assert_eq!(saved["bytes"], text(&host, "new/out.json").len());
    assert_eq!(saved["path"], "new/out.json");
    save(&host, config, json!({})).await.unwrap();
    assert_eq!(text(&host, "new/out.json"), "{}\n");
    let left = std::fs::read_dir(host.folder.path().join("new")).unwrap();
    assert_eq!(left.count(), 1, "no temporary file is left");
    save(
        &host,
        json!({"path": "out.txt", "data": "as is"}),
        json!({}),
    )
    .await
    .unwrap();
    assert_eq!(text(&host, "out.txt"), "as is");
    let lines = json!({"path": "out.jsonl", "from": [1, {"a": 2}], "mode": "append"});
    save(&host, lines.clone(), json!({})).await.unwrap();
    let saved = save(&host, lines, json!({})).await.unwrap();
    assert_eq!(text(&host, "out.jsonl"), "1\n{\"a\":2}\n1\n{\"a\":2}\n");
    assert_eq!(saved["rows"], 2);
}

#[tokio::test]
async fn csv_is_quoted_and_appended_in_the_order_of_its_header() {
    let host = TestHost::new();
    let csv = |data: Json| json!({"path": "out.csv", "mode": "append", "data": data});
    let first = json!([{"id": 1, "a, \"b\"": "x\ny"}, {"id": 2, "more": {"k": [1]}}]);
    save(&host, csv(first), json!({})).await.unwrap();
    let wanted = "id,\"a, \"\"b\"\"\",more\n1,\"x\ny\",\n2,,\"{\"\"k\"\":[1]}\"\n";
    assert_eq!(text(&host, "out.csv"), wanted);
    save(
        &host,
        csv(json!({"more": true, "a, \"b\"": "plain"})),
        json!({}),
    )
    .await
    .unwrap();
    assert_eq!(text(&host, "out.csv"), format!("{wanted},plain,true\n"));
    let failure = save(&host, csv(json!({"other": 1})), json!({}))
        .await
        .unwrap_err();
    assert!(failure.message.contains("`other`"), "{failure}");
    let scalar = save(&host, csv(json!("text")), json!({}))
        .await
        .unwrap_err();
    assert_eq!(scalar.kind, "config");
}

#[tokio::test]
async fn rows_are_inserted_upserted_and_replaced_in_sqlite() {
    let host = TestHost::new();
    let query = |sql: &str| host.run(Sqlite, json!({"database": "t.db", "query": sql}));
    query("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, extra TEXT)")
        .await
        .unwrap();
    let save = |data: Json, mode: &str| {
        let target = json!({"type": "sqlite", "database": "t.db", "table": "items", "mode": mode, "key": ["id"]});
        save(&host, json!({"target": target, "data": data}), json!({}))
    };
    save(
        json!([{"id": 1, "name": "one"}, {"id": 2, "extra": {"k": 1}}]),
        "insert",
    )
    .await
    .unwrap();
    save(
        json!([{"id": 2, "name": "two"}, {"id": 3, "name": "it's"}]),
        "upsert",
    )
    .await
    .unwrap();
    let found = query("SELECT * FROM items ORDER BY id").await.unwrap();
    assert_eq!(
        found["rows"],
        json!([
            {"id": 1, "name": "one", "extra": null},
            {"id": 2, "name": "two", "extra": "{\"k\":1}"},
            {"id": 3, "name": "it's", "extra": null},
        ])
    );
    let failure = save(json!([{"id": 8}, {"id": 8}]), "replace")
        .await
        .unwrap_err();
    assert_eq!(failure.kind, "sql");
    assert_eq!(query("SELECT * FROM items").await.unwrap()["row_count"], 3);
    save(json!({"id": 9}), "replace").await.unwrap();
    let found = query("SELECT id FROM items").await.unwrap();
    assert_eq!(found["rows"], json!([{"id": 9}]));
}

#[tokio::test]
async fn values_that_cannot_be_saved_are_refused() {
    let host = TestHost::new();
    for (config, part) in [
        (json!({}), "`target`"),
        (json!({"type": "gcs", "path": "x"}), "`gcs`"),
        (json!({"type": "sink"}), "`target`"),
        (json!({"backend": "file"}), "`path`"),
        (json!({"path": "x.json", "mode": "append"}), "JSON"),
        (json!({"path": "x.json", "mode": "sideways"}), "`sideways`"),
        (
            json!({"path": "x.parquet", "format": "parquet"}),
            "`parquet`",
        ),
        (
            json!({"backend": "sqlite", "db": ":memory:", "table": "a\"; drop", "data": {"a": 1}}),
            "cannot be the name",
        ),
        (
            json!({"backend": "sqlite", "db": ":memory:", "table": "t", "data": {"a\"": 1}}),
            "cannot be the name",
        ),
        (
            json!({"backend": "sqlite", "db": ":memory:", "table": "t", "mode": "upsert", "data": {"a": 1}}),
            "`key`",
        ),
        (
            json!({"backend": "sqlite", "db": ":memory:", "table": "t", "data": 5}),
            "list of objects",
        ),
    ] {
        let failure = save(&host, config.clone(), json!({})).await.unwrap_err();
        assert_eq!(failure.kind, "config", "{config}");
        assert!(failure.message.contains(part), "{config}: {failure}");
    }
}
