//! What requests may rely on: a key that makes a start happen once, a base that keeps what others saved, names that are
//! refused when they are unknown, and statuses and workers that are told as they are.

use serde_json::{Value, json};

use crate::live::{Live, Worker, playbook, shell, until};
use crate::support::wait_for;

const NOOP: &str = "noop";

fn noop(live: &Live, path: &str) -> Value {
    live.register(&playbook(path, &[("start", json!({ "kind": NOOP }))]))
}

/// Sends a start with a key. Returns status and answer.
fn start(live: &Live, key: &str, body: &Value) -> (u16, Value) {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let body = body.to_string();
    let answer = live.ask("POST", "/api/execute", &headers, body.as_bytes());
    (answer.status, serde_json::from_str(&answer.text).unwrap())
}

#[test]
fn a_start_that_is_sent_twice_with_its_key_starts_one_execution() {
    let live = Live::new();
    noop(&live, "t/once");
    let body = json!({"path": "t/once", "payload": {"n": 1}});
    let (status, first) = start(&live, "a-key", &body);
    assert_eq!(status, 200, "{first}");
    // A version that is registered meanwhile changes nothing.
    noop(&live, "t/once");
    let (status, again) = start(&live, "\"a-key\"", &body);
    assert_eq!(status, 200, "{again}");
    for field in ["execution_id", "version", "catalog_id"] {
        assert_eq!(first[field], again[field], "{field}");
    }
    assert_eq!(live.get("/api/executions").as_array().unwrap().len(), 1);
    let (status, other) = start(
        &live,
        "a-key",
        &json!({"path": "t/once", "payload": {"n": 2}}),
    );
    assert_eq!(status, 422, "{other}");
    let (status, fresh) = start(&live, "another", &body);
    assert_eq!((status, &fresh["version"]), (200, &json!(2)));
    assert_eq!(start(&live, "with space", &body).0, 400);
    // Running it again has a key as well.
    let path = format!(
        "/api/executions/{}/rerun",
        first["execution_id"].as_str().unwrap()
    );
    let rerun = || {
        let answer = live.ask("POST", &path, &[("idempotency-key", "rerun")], b"");
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        answer["execution_id"].clone()
    };
    assert_eq!(rerun(), rerun());
}

#[test]
fn a_registration_with_a_base_does_not_follow_what_others_registered() {
    let live = Live::new();
    let text = playbook("t/base", &[("start", json!({ "kind": NOOP }))]);
    let from = |base: i64| json!({"content": text, "base_version": base});
    let path = "/api/catalog/register";
    assert_eq!(live.post(path, &from(0))["version"], 1);
    assert_eq!(live.post(path, &from(1))["version"], 2);
    let refused = live.expect(409, "POST", path, &from(1));
    assert_eq!(refused["detail"], "the latest version of `t/base` is 2");
    live.expect(409, "POST", path, &from(0));
    assert_eq!(
        live.register(&text)["version"],
        3,
        "without a base as before"
    );
    live.expect(
        200,
        "DELETE",
        "/api/catalog/entry?path=t/base",
        &Value::Null,
    );
    live.expect(409, "POST", path, &from(3));
    assert_eq!(live.post(path, &from(0))["version"], 1);
}

#[test]
fn unknown_query_parameters_are_refused_with_the_known_ones() {
    let live = Live::new();
    let refused = live.expect(400, "GET", "/api/executions?staus=FAILED", &Value::Null);
    assert_eq!(refused["detail"], "there is no query parameter `staus`");
    let help = refused["help"].as_str().unwrap();
    assert!(help.starts_with("this path has status, "), "{help}");
    let refused = live.expect(400, "GET", "/api/version?a=1", &Value::Null);
    assert_eq!(refused["help"], "this path has none");
    live.expect(400, "GET", "/api/executions/stream?after=1", &Value::Null);
    live.get("/api/executions?status=FAILED&limit=1");
    live.get("/api/health?");
}

#[test]
fn an_execution_is_pending_until_its_first_step_begins() {
    let live = Live::with(&["--max-workers", "0"]);
    let gate = live.home.path().join("gate");
    live.register(&playbook("t/waits", &[("start", shell(&wait_for(&gate)))]));
    let execution = live.execute("t/waits", &json!({}));
    assert_eq!(live.status(&execution)["status"], "PENDING");
    let stats = &live.get("/api/dashboard/stats")["stats"];
    let counts = |stats: &Value| {
        [
            "pending_executions",
            "running_executions",
            "queue_depth",
            "workers",
        ]
        .map(|name| stats[name].as_i64().unwrap())
    };
    assert_eq!(counts(stats), [1, 0, 1, 0]);
    assert_eq!(live.get("/api/executions?status=RUNNING"), json!([]));
    let _worker = Worker::start(&live, "late", "1");
    until("the step runs", || {
        (live.status(&execution)["status"] == "RUNNING").then_some(())
    });
    assert_eq!(
        counts(&live.get("/api/dashboard/stats")["stats"]),
        [0, 1, 0, 1]
    );
    std::fs::write(gate, "").unwrap();
    assert_eq!(live.ended(&execution)["status"], "COMPLETED");
}

#[test]
fn a_pending_execution_can_be_cancelled() {
    let live = Live::with(&["--max-workers", "0"]);
    noop(&live, "t/waits");
    let execution = live.execute("t/waits", &json!({}));
    live.expect(
        409,
        "DELETE",
        "/api/catalog/entry?path=t/waits",
        &Value::Null,
    );
    live.post(&format!("/api/executions/{execution}/cancel"), &json!({}));
    assert_eq!(live.status(&execution)["status"], "CANCELLED");
}

#[test]
fn the_slots_of_the_server_count_as_a_worker() {
    let live = Live::with(&["--max-workers", "3"]);
    let pools = live.get("/api/worker/pools");
    let server = &pools["items"][0];
    assert_eq!(
        [
            &server["runtime"],
            &server["capacity"],
            &server["status"],
            &server["running"]
        ],
        [&json!("server"), &json!(3), &json!("ready"), &json!(0)]
    );
    assert_eq!(live.get("/api/dashboard/stats")["stats"]["workers"], 1);
}

#[test]
fn deleting_a_playbook_keeps_what_its_executions_need() {
    let live = Live::new();
    noop(&live, "t/gone");
    let first = live.run("t/gone", &json!({"n": 1}));
    let execution = first["execution_id"].as_str().unwrap();
    noop(&live, "t/gone");
    let deleted = live.expect(
        200,
        "DELETE",
        "/api/catalog/entry?path=t/gone",
        &Value::Null,
    );
    assert_eq!(deleted["deleted"], 2);
    assert_eq!(
        live.post("/api/catalog/list", &json!({}))["entries"],
        json!([])
    );
    live.expect(404, "POST", "/api/execute", &json!({"path": "t/gone"}));
    live.get(&format!("/api/executions/{execution}/graph"));
    let again = live.post(&format!("/api/executions/{execution}/rerun"), &json!({}));
    let again = live.ended(again["execution_id"].as_str().unwrap());
    assert_eq!(again["status"], "COMPLETED");
    // With the executions, what they needed goes as well.
    live.post("/api/executions/expire", &json!({"older_than_days": 0}));
    assert_eq!(noop(&live, "t/gone")["version"], 1);
}

#[test]
fn executions_are_deleted_with_all_that_was_kept_of_them() {
    let live = Live::new();
    live.register(&playbook("t/old", &[("start", shell("echo hello"))]));
    for _ in 0..60 {
        live.run("t/old", &json!({}));
    }
    let gate = live.home.path().join("gate");
    live.register(&playbook("t/runs", &[("start", shell(&wait_for(&gate)))]));
    let running = live.execute("t/runs", &json!({}));
    let expire = |days: u16, dry_run: bool| {
        let request = json!({"older_than_days": days, "dry_run": dry_run});
        live.post("/api/executions/expire", &request)["deleted_count"].clone()
    };
    assert_eq!([expire(1, false), expire(0, true)], [0, 60]);
    let cleanup = live
        .noetl(&["cleanup", "--ended-days", "0", "--yes"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&cleanup.stderr).into_owned();
    assert!(
        said.contains("60 executions that ended more than 0 days ago deleted"),
        "{said}"
    );
    let left = live.get("/api/executions");
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    for table in ["event", "log_chunk", "log_attempt", "ended", "content"] {
        let query = format!(
            "SELECT COUNT(DISTINCT execution_id) FROM {table} WHERE execution_id <> {running}"
        );
        let answer = live.post("/api/postgres/execute", &json!({ "query": query }));
        assert_eq!(answer["result"], json!([[0]]), "{table}: {answer}");
    }
    std::fs::write(gate, "").unwrap();
    live.ended(&running);
}

/// An age of executions is a matter of days, so that their end is set in the store.
#[cfg(unix)]
#[test]
fn a_server_deletes_what_ended_longer_ago_than_it_keeps() {
    for flags in [&[][..], &["--retention-days", "2"]] {
        let mut live = Live::with(flags);
        if flags.is_empty() {
            live.set("NOETL_RETENTION_DAYS", "2");
        }
        live.register(&playbook("t/old", &[("start", shell("echo hello"))]));
        let [old, recent] = [0, 1].map(|_| {
            let id = live.execute("t/old", &json!({}));
            live.ended(&id);
            id
        });
        live.stop();
        for (id, days) in [(&old, 3), (&recent, 1)] {
            let moved = format!(
                "UPDATE execution SET end_time = end_time - {days} * 86400000 WHERE execution_id = {id}"
            );
            let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as store: store.execute(sys.argv[2])";
            let store = live.home.path().join(".noetl/data/noetl.db");
            let mut python = std::process::Command::new("python3");
            let status = python.args(["-c", script]).arg(store).arg(moved).status();
            assert!(status.unwrap().success());
        }
        live.start();
        let address = format!("/api/executions/{old}");
        until("the old execution is deleted", || {
            (live.ask("GET", &address, &[], b"").status == 404).then_some(())
        });
        assert_eq!(live.status(&recent)["status"], "COMPLETED");
    }
}
