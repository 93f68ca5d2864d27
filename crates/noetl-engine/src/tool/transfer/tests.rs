//! Tests of transfers between files, databases and URLs.

use serde_json::{Value as Json, json};

use crate::playbook::ToolKind::{Sqlite, Transfer};
use crate::tool::tests::TestHost;

fn write(host: &TestHost, name: &str, text: &str) {
    std::fs::write(host.folder.path().join(name), text).unwrap();
}

async fn select(host: &TestHost, query: &str) -> Json {
    let config = json!({"database": "t.db", "query": query});
    host.run(Sqlite, config).await.unwrap()["rows"].clone()
}

#[tokio::test]
async fn rows_go_from_files_to_tables_and_back() {
    let host = TestHost::new();
    select(
        &host,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, city TEXT)",
    )
    .await;
    write(
        &host,
        "in.csv",
        "id,full name,note\n1,\"Ann, B\",x\n2,Cem,\n",
    );
    let transfer = json!({
        "source": {"type": "file", "path": "in.csv"},
        "target": {"type": "sqlite", "database": "t.db", "table": "people",
            "mapping": {"id": "id", "name": "full name", "city": "note"}},
    });
    let result = host.run(Transfer, transfer.clone()).await.unwrap();
    let expected =
        json!({"status": "success", "rows_transferred": 2, "source": "file", "target": "sqlite"});
    assert_eq!(result, expected);
    let rows =
        json!([{"id": 1, "name": "Ann, B", "city": "x"}, {"id": 2, "name": "Cem", "city": null}]);
    assert_eq!(
        select(&host, "SELECT * FROM people ORDER BY id").await,
        rows
    );

    let mut again = transfer;
    again["mode"] = json!("replace");
    host.run(Transfer, again).await.unwrap();
    assert_eq!(
        select(&host, "SELECT count(*) AS n FROM people").await,
        json!([{"n": 2}])
    );

    for name in ["out.jsonl", "out.json", "out.csv"] {
        let back = json!({
            "source": {"type": "sqlite", "database": "t.db", "table": "people"},
            "target": {"type": "file", "path": name},
        });
        assert_eq!(
            host.run(Transfer, back).await.unwrap()["rows_transferred"],
            2,
            "{name}"
        );
        select(
            &host,
            "CREATE TABLE IF NOT EXISTS copy (id INTEGER, name TEXT, city TEXT)",
        )
        .await;
        let forth = json!({
            "source": {"type": "file", "path": name},
            "target": {"type": "sqlite", "database": "t.db", "table": "copy"}, "mode": "replace",
        });
        host.run(Transfer, forth).await.unwrap();
        assert_eq!(
            select(&host, "SELECT * FROM copy ORDER BY id").await,
            rows,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_failure_leaves_the_target_as_it_was() {
    let host = TestHost::new();
    select(&host, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    write(&host, "in.jsonl", "{\"id\": 1}\n{\"id\": 1}\n");
    let target = json!({"type": "sqlite", "database": "t.db", "table": "t"});
    let failed = host
        .run(
            Transfer,
            json!({"source": {"type": "file", "path": "in.jsonl"}, "target": target}),
        )
        .await;
    assert!(failed.is_err());
    assert_eq!(
        select(&host, "SELECT count(*) AS n FROM t").await,
        json!([{"n": 0}])
    );
}

#[tokio::test]
async fn what_cannot_be_transferred_is_said() {
    let host = TestHost::new();
    write(&host, "text.json", "\"text\"");
    write(&host, "broken.jsonl", "{\"id\": 1}\n{");
    let target = json!({"type": "file", "path": "out.json"});
    for (config, message) in [
        (json!({}), "needs the field `source`"),
        (
            json!({"source": {"path": "x"}}),
            "`source` of a transfer needs `type`",
        ),
        (
            json!({"source": {"type": "file", "path": "x"}}),
            "needs the field `target`",
        ),
        (
            json!({"source": {"type": "ftp"}, "target": target}),
            "cannot read from `ftp`",
        ),
        (
            json!({"source": {"type": "file", "path": "none.csv"}, "target": target}),
            "none.csv",
        ),
        (
            json!({"source": {"type": "file", "path": "text.json"}, "target": target}),
            "no list of objects",
        ),
        (
            json!({"source": {"type": "file", "path": "broken.jsonl"}, "target": target}),
            "line 2",
        ),
        (
            json!({"source": {"type": "file", "path": "a.xml"}, "target": target}),
            "a.xml",
        ),
        (
            json!({"source": {"type": "file", "path": "text.json"}, "target": target, "mapping": {"a": 1}}),
            "names the source's column",
        ),
    ] {
        let failure = host.run(Transfer, config.clone()).await.unwrap_err();
        assert!(failure.message.contains(message), "{config}: {failure}");
    }
}
