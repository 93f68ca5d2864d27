//! The versions of the store's schema: an older one is migrated at the start, a newer one is refused.

use std::process::Stdio;

use serde_json::json;

use crate::live::{Live, playbook, shell};
#[cfg(unix)]
use crate::postgres::Postgres;
use crate::support::show;

fn set_version(live: &Live, version: u32) {
    live.sql(&format!(
        "UPDATE setting SET value = '{version}' WHERE name = 'schema_version'"
    ));
}

fn versions(mut live: Live) {
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    live.stop();
    // The first version, with rows that the migration must not lose.
    let later = [
        ("command", "holder"),
        ("command", "lost"),
        ("event", "contents"),
        ("ended", "contents"),
        ("execution", "log_chunks"),
        ("catalog", "deleted_at"),
        ("shard", "slots"),
        ("shard", "started_at"),
        ("execution", "retried_id"),
        ("execution", "first_id"),
    ];
    for (table, column) in later {
        live.sql(&format!("ALTER TABLE {table} DROP COLUMN {column}"));
    }
    set_version(&live, 1);
    live.start();
    assert_eq!(live.run("t/one", &json!({}))["status"], "COMPLETED");
    let version = live.post(
        "/api/postgres/execute",
        &json!({"query": "SELECT value FROM setting WHERE name = 'schema_version'"}),
    );
    assert_eq!(version["result"], json!([["9"]]), "{version}");
    live.stop();
    set_version(&live, 99);
    let output = live.command().stderr(Stdio::piped()).output().unwrap();
    let text = show(&output);
    assert!(
        text.contains("the store has schema 99, and this NoETL knows schemas up to 9")
            && text.contains("help: start the NoETL that the store was last used with")
            && text.ends_with("[exit 1]"),
        "{text}"
    );
    set_version(&live, 9);
    live.start();
    assert_eq!(live.run("t/one", &json!({}))["status"], "COMPLETED");
}

#[test]
fn schemas_are_migrated_or_refused_over_sqlite() {
    versions(Live::new());
}

#[test]
#[cfg(unix)]
fn schemas_are_migrated_or_refused_over_postgresql() {
    if let Some(postgres) = Postgres::start() {
        versions(Live::on(Some(postgres.database("schema")), &[], &[]));
    }
}
