//! Large results over HTTP: stored once, named in answers, and sent whole where they are asked for.

use std::path::Path;

use serde_json::{Value, json};

use crate::live::{Live, Store, playbook, shell};
#[cfg(unix)]
use crate::postgres::Postgres;

const ITEMS: usize = 9;
const ITEM_BYTES: usize = 1_000_000;

/// A loop whose items each print a megabyte that no other prints.
fn large_loop() -> String {
    json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook",
        "metadata": {"name": "large", "path": "t/large"},
        "workload": {"items": (0..ITEMS).collect::<Vec<_>>()},
        "workflow": [{
            "step": "start",
            "loop": {"in": "{{ workload.items }}", "iterator": "item", "mode": "parallel"},
            "args": {"item": "{{ iter.item }}"},
            "tool": {
                "kind": "shell",
                "cmds": [format!("head -c {ITEM_BYTES} /dev/zero | tr '\\0' \"$(printf \"\\\\$(printf %o \"$((97 + $NOETL_ITEM))\")\")\"")],
                "env": {"NOETL_ITEM": "{{ item }}"},
            },
        }],
    })
    .to_string()
}

/// The bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files.map(|file| file.metadata().unwrap().len()).sum()
}

/// Every value of an answer that was left out, as the path that has it.
fn omitted(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(omitted).collect(),
        Value::Object(fields) => match fields.get("href") {
            Some(href) => vec![href.as_str().unwrap().to_owned()],
            None => fields.values().flat_map(omitted).collect(),
        },
        _ => Vec::new(),
    }
}

fn large_results(mut live: Live) {
    live.register(&large_loop());
    live.register(&playbook("t/fails", &[("start", shell("exit 1"))]));
    let failed = live.run("t/fails", &json!({}));
    let failed = failed["execution_id"].as_str().unwrap();
    let path = format!("/api/executions/{failed}/result");
    let refused = live.expect(409, "GET", &path, &Value::Null);
    assert!(refused["detail"].as_str().unwrap().contains("it is FAILED"));
    let ended = live.run("t/large", &json!({}));
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let id = ended["execution_id"].as_str().unwrap();
    let whole_path = format!("/api/executions/{id}/result");
    assert_eq!(ended["result"]["href"], json!(whole_path));
    // What answers hold is small, and names everything that is not.
    let list = live.get("/api/executions?status=completed");
    assert_eq!(list[0]["result"]["href"], json!(whole_path));
    let detail = live.get(&format!("/api/executions/{id}?page_size=500"));
    assert!(detail.to_string().len() < 100_000);
    let hrefs = omitted(&detail["events"]);
    let mut contents = hrefs.clone();
    contents.sort();
    contents.dedup();
    assert!(contents.len() == ITEMS && hrefs.len() > ITEMS, "{hrefs:?}");
    for href in &contents {
        let value = live.get(href);
        assert_eq!(value.as_str().unwrap().len(), ITEM_BYTES);
    }
    live.expect(
        404,
        "GET",
        &format!("/api/executions/{id}/contents/none"),
        &Value::Null,
    );
    let whole = live.get(&whole_path);
    let items = whole["results"].as_array().unwrap();
    let firsts = items.iter().map(|item| {
        let text = item["stdout"].as_str().unwrap();
        assert_eq!(text.len(), ITEM_BYTES);
        text.chars().next().unwrap()
    });
    assert_eq!(firsts.collect::<String>(), "abcdefghi");
    if let Store::Sqlite(folder) = &live.store {
        let folder = folder.clone();
        live.stop();
        let once = (ITEMS * ITEM_BYTES) as u64;
        // What the steps print is in their logs as well, of which a MiB is kept for each.
        let logs = (ITEMS << 20) as u64;
        assert!(
            bytes_in(&folder) < once * 5 / 4 + logs,
            "{} bytes",
            bytes_in(&folder)
        );
    }
}

#[test]
#[cfg(unix)]
fn large_results_are_stored_once_over_sqlite() {
    large_results(Live::new());
}

#[test]
#[cfg(unix)]
fn large_results_are_stored_once_over_postgresql() {
    if let Some(postgres) = Postgres::start() {
        large_results(Live::on(Some(postgres.database("results")), &[], &[]));
    }
}
