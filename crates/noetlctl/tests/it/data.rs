//! `noetl list`, `get`, `query` and `db`.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::support::Home;

fn credential() -> Value {
    json!({"id": "1", "name": "pg", "type": "postgres", "meta": {}, "tags": ["a"], "description": null,
        "created_at": "2026-11-23T12:00:00.123Z", "updated_at": "2026-11-23T12:00:00.123Z"})
}

fn store() -> Fake {
    Fake::new(|request| match request.line.as_str() {
        "POST /api/catalog/list" => json!({"entries": []}),
        "GET /api/credentials" => {
            json!({"items": [credential()], "filter": {"type": null, "q": null}})
        }
        "GET /api/executions?limit=100" => {
            json!([{"execution_id": "42", "path": "examples/p", "version": 2, "status": "RUNNING", "catalog_id": "9",
            "end_time": null, "progress": 0, "current_step": null, "result": null, "error": null, "parent_execution_id": null,
            "start_time": "2026-11-23T12:00:00.123Z", "duration_seconds": 61.5}])
        }
        "GET /api/worker/pools" => {
            json!({"items": [{"name": "w", "status": "ready", "running": 1, "capacity": 4, "hostname": "h",
            "pid": 7, "runtime_id": "3", "runtime": "cpu", "labels": {},
            "started_at": "2026-11-23T11:00:00.123Z", "heartbeat": "2026-11-23T12:00:00.123Z"}],
            "count": 1, "runtime": "all", "status": "all"})
        }
        line if line.starts_with("GET /api/credentials/") => {
            let mut credential = credential();
            if line.ends_with("=true") {
                credential["data"] = json!({"password": "secret"});
            }
            credential
        }
        line => panic!("{line}"),
    })
}

#[test]
fn every_type_is_listed_as_a_table() {
    let (home, fake) = (Home::new(), store());
    assert_eq!(
        fake.run(&home, &["list", "Playbook"]),
        "no playbooks; `noetl register playbook --file FILE` adds one\n[exit 0]"
    );
    assert_eq!(
        fake.request().1,
        json!({"resource_type": "Playbook", "latest": true, "content": false})
    );
    assert_eq!(
        fake.run(&home, &["list", "Credential"]),
        "NAME  TYPE      UPDATED              DESCRIPTION\npg    postgres  2026-11-23 12:00:00  -\n[exit 0]"
    );
    assert_eq!(
        fake.run(&home, &["catalog", "list", "Credential"]),
        fake.run(&home, &["list", "credentials"])
    );
    assert_eq!(
        fake.run(&home, &["list", "Execution"]),
        "ID  PLAYBOOK    VERSION  STATUS   STARTED              DURATION\n\
         42  examples/p  2        RUNNING  2026-11-23 12:00:00  1m 01s\n[exit 0]"
    );
    assert_eq!(
        fake.run(&home, &["list", "worker"]),
        "NAME  STATUS  RUNNING  CAPACITY  HOST  PID  HEARTBEAT\nw     ready   1        4         h     7    2026-11-23 12:00:00\n[exit 0]"
    );
    assert_eq!(
        fake.json(&home, &["list", "Execution", "-j"]).0[0]["execution_id"],
        "42"
    );
    assert!(fake.run(&home, &["list", "Nonsense"]).ends_with("[exit 2]"));
}

/// Upstream always showed the data, and its documented `--include_data=false` was an error.
#[test]
fn the_data_of_a_credential_is_shown_with_a_flag_alone() {
    let (home, fake) = (Home::new(), store());
    let without: [&[&str]; 3] = [&[], &["--include-data=false"], &["--include_data=false"]];
    for flags in without {
        let text = fake.run(&home, &[&["get", "credential", "pg"], flags].concat());
        assert!(
            text.contains("Data:        not shown") && !text.contains("secret"),
            "{text}"
        );
        assert_eq!(
            fake.request().0,
            "GET /api/credentials/pg?include_data=false"
        );
    }
    let with: [&[&str]; 3] = [
        &["--include-data"],
        &["--include-data=true"],
        &["--include_data=true"],
    ];
    for flags in with {
        let text = fake.run(&home, &[&["get", "credential", "pg"], flags].concat());
        assert!(text.contains("Data:\n  password: secret\n"), "{text}");
        assert_eq!(
            fake.request().0,
            "GET /api/credentials/pg?include_data=true"
        );
    }
    assert!(
        fake.json(&home, &["get", "credential", "a/b", "-j"])
            .0
            .get("data")
            .is_none()
    );
    assert_eq!(
        fake.request().0,
        "GET /api/credentials/a%2Fb?include_data=false"
    );
}

#[test]
fn rows_are_printed_as_a_table_or_as_json() {
    let home = Home::new();
    let fake = Fake::new(|request| match request.body["query"].as_str() {
        Some("DROP") => {
            json!({"status": "error", "columns": [], "result": [], "error": "the store is read-only"})
        }
        _ => {
            json!({"status": "ok", "columns": ["path", "n"], "result": [["a", 1], [null, 2]], "error": null})
        }
    });
    assert_eq!(
        fake.run(&home, &["query", "SELECT 1"]),
        "path  n\na     1\nNULL  2\n(2 rows)\n[exit 0]"
    );
    assert_eq!(
        fake.request(),
        (
            "POST /api/postgres/execute".to_owned(),
            json!({"query": "SELECT 1"})
        )
    );
    fake.run(&home, &["query", "SELECT 1", "--schema", "noetl"]);
    assert_eq!(
        fake.request().1,
        json!({"query": "SELECT 1", "schema": "noetl"})
    );
    let flags: [&[&str]; 3] = [&["--format", "json"], &["-f", "json"], &["-j"]];
    for flags in flags {
        let (document, code) = fake.json(&home, &[&["query", "SELECT 1"], flags].concat());
        assert_eq!((document["result"][0][0].as_str(), code), (Some("a"), 0));
    }
    assert_eq!(
        fake.run(&home, &["query", "DROP"]),
        "error: the store is read-only\n[exit 1]"
    );
    assert_eq!(fake.json(&home, &["query", "DROP", "-j"]).1, 1);
}

#[test]
fn the_store_is_prepared_and_checked() {
    let home = Home::new();
    let fake = Fake::new(|request| {
        let valid = request.line.starts_with("POST");
        json!({"status": "ok", "message": "ready", "valid": valid, "tables": ["a", "b"], "missing": if valid { json!([]) } else { json!(["c", "d"]) }})
    });
    assert_eq!(
        fake.run(&home, &["db", "init"]),
        "ready (2 tables)\n[exit 0]"
    );
    assert_eq!(fake.request().0, "POST /api/db/init");
    assert_eq!(
        fake.run(&home, &["db", "validate"]),
        "error: the store lacks c, d\nhelp: noetl db init\n[exit 1]"
    );
    assert_eq!(fake.request().0, "GET /api/db/validate");
    assert_eq!(fake.json(&home, &["db", "validate", "-j"]).1, 1);
}
