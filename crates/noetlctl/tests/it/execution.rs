//! `noetl execute`, `status`, `cancel` and `cleanup`.

use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::support::Home;

fn started() -> Value {
    json!({"execution_id": "42", "status": "started", "commands_generated": 1, "path": "examples/p", "version": 2, "catalog_id": "9"})
}

fn status(word: &str) -> Value {
    json!({"execution_id": "42", "path": "examples/p", "version": 2, "status": word, "current_step": null,
        "completed_steps": ["start", "fetch"], "failed": word == "FAILED", "completed": word == "COMPLETED",
        "cancelled": word == "CANCELLED", "variables": {}, "error": if word == "FAILED" { json!("boom") } else { Value::Null },
        "result": null, "start_time": "2026-11-23T12:00:00.000Z", "end_time": null, "duration_seconds": 1.5, "duration_human": "1.5s"})
}

fn event(id: &str, step: &str, error: &Value) -> Value {
    json!({"event_id": id, "execution_id": "42", "catalog_id": "9", "event_type": "step.exit", "node_id": step,
        "node_name": step, "status": "COMPLETED", "created_at": "2026-11-23T12:00:00.123Z",
        "timestamp": "2026-11-23T12:00:00.123Z", "context": null, "result": null, "error": error, "meta": {},
        "duration": 0.5, "parent_event_id": null, "parent_execution_id": null})
}

/// An execution with its newest events.
fn detail(events: &[Value]) -> Value {
    json!({"execution_id": "42", "catalog_id": "9", "path": "examples/p", "version": 2, "status": "FAILED",
        "start_time": "2026-11-23T12:00:00.000Z", "end_time": null, "duration_seconds": 1.5, "progress": 100,
        "current_step": null, "result": null, "error": "boom", "parent_execution_id": null, "events": events,
        "pagination": {"page": 1, "page_size": 100, "total_events": events.len(), "total_pages": 1,
        "has_next": false, "has_prev": false}})
}

#[test]
fn a_playbook_is_started_with_its_input() {
    let (home, fake) = (Home::new(), Fake::new(|_| started()));
    home.write("input.json", r#"{"a": 1, "b": 1}"#);
    let text = fake.run(
        &home,
        &[
            "execute",
            "playbook",
            "examples/p",
            "--input",
            "input.json",
            "--payload",
            r#"{"b": 2}"#,
            "--set",
            "c=x",
            "-V",
            "2",
        ],
    );
    assert_eq!(
        text,
        "execution 42 started: examples/p, version 2\nfollow it with `noetl status 42 --watch`\n[exit 0]"
    );
    let (line, body) = fake.request();
    assert_eq!(line, "POST /api/execute");
    assert_eq!(
        body,
        json!({
            "path": "examples/p", "version": 2, "payload": {"a": 1, "b": 2, "c": "x"}, "set": {"c": "x"},
        })
    );
    let (document, code) = fake.json(&home, &["execute", "playbook", "examples/p", "--json"]);
    assert_eq!((document, code), (started(), 0));
    assert_eq!(
        fake.request().1,
        json!({"path": "examples/p", "payload": {}})
    );
    fake.run(&home, &["execute", "rerun", "42"]);
    assert_eq!(fake.request().0, "POST /api/executions/42/rerun");
    let text = fake.run(
        &home,
        &["execute", "playbook", "examples/p", "--payload", "nonsense"],
    );
    assert!(
        text.starts_with("error: --payload is not JSON\n")
            && text.contains("help: use a JSON object"),
        "{text}"
    );
    assert!(fake.requests().is_empty());
}

#[test]
fn an_execution_that_cannot_start_has_an_error_with_help() {
    let home = Home::new();
    let fake = Fake::new(|request| match request.body["path"].as_str() {
        Some("invalid") => (
            422,
            json!({"detail": "invalid", "problems": [
            {"severity": "error", "message": "no workflow", "place": {"file": "invalid", "line": 1, "column": 1}}]}),
        ),
        _ => (404, json!({"detail": "no playbook `gone` in the catalog"})),
    });
    let text = fake.run(&home, &["execute", "playbook", "gone"]);
    assert!(
        text.starts_with("error: no playbook `gone` in the catalog\nhelp: `noetl catalog list`"),
        "{text}"
    );
    let text = fake.run(&home, &["execute", "playbook", "invalid"]);
    assert_eq!(
        text,
        "error: invalid:1:1: no workflow\nerror: invalid cannot be executed: 1 error\n[exit 1]"
    );
}

#[test]
fn a_status_is_printed_as_fields() {
    let (home, fake) = (Home::new(), Fake::new(|_| status("COMPLETED")));
    let rule = "=".repeat(60);
    let expected = format!(
        "{rule}\nExecution: 42\nPlaybook:  examples/p (version 2)\nStatus:    COMPLETED\nSteps:     2 done\n\
         Duration:  1.5s\n{rule}\nCompleted steps:\n  - start\n  - fetch\n[exit 0]"
    );
    assert_eq!(fake.run(&home, &["status", "42"]), expected);
    assert_eq!(fake.request().0, "GET /api/executions/42/status");
    assert_eq!(fake.run(&home, &["execute", "status", "42"]), expected);
    fake.requests();
    let (document, code) = fake.json(&home, &["status", "42", "--json"]);
    assert_eq!((document, code), (status("COMPLETED"), 0));
}

/// Upstream showed failed executions as running.
#[test]
fn a_failed_execution_is_shown_with_the_place_of_its_error() {
    let home = Home::new();
    let fake = Fake::new(|request| {
        if request.line.ends_with("/status") {
            return status("FAILED");
        }
        let place = json!({"file": "examples/p", "line": 7, "column": 9, "step": "fetch", "field": "tool.url"});
        let error = json!({"kind": "template", "message": "boom: `x` is undefined", "retryable": false, "place": place});
        detail(&[
            event("1", "start", &Value::Null),
            event("2", "fetch", &error),
        ])
    });
    let text = fake.run(&home, &["status", "42"]);
    assert!(text.contains("Status:    FAILED\n"), "{text}");
    assert!(
        text.contains(
            "Error:     examples/p:7:9: step `fetch`, field `tool.url`: boom: `x` is undefined\n"
        ),
        "{text}"
    );
    assert!(text.ends_with("[exit 0]"), "{text}");
    let unknown = Fake::new(|_| (404, json!({"detail": "Execution not found"})));
    for command in [["status", "7"], ["cancel", "7"]] {
        assert_eq!(
            unknown.run(&home, &command),
            "error: no such execution: 7\ncaused by: Execution not found\nhelp: `noetl list Execution` lists the newest executions\n[exit 1]"
        );
    }
}

/// A server whose stream breaks once before the execution ends.
fn streaming(end: &'static str) -> Fake {
    Fake::new(move |request| {
        let message = |id: u32, step: &str| {
            let data = event(&id.to_string(), step, &Value::Null);
            format!(": ping\n\nid: {id}\nevent: event\ndata: {data}\n\n")
        };
        match request.line.as_str() {
            "POST /api/execute" => Answer::from(started()),
            "GET /api/executions/42/stream?after=0" => Answer::events(&message(1, "start")),
            "GET /api/executions/42/stream?after=1" => {
                let last = format!(
                    "event: status\ndata: {}\n\n",
                    json!({"execution_id": "42", "status": end})
                );
                Answer::events(&(message(2, "fetch") + &last))
            }
            "GET /api/executions/42/status" => Answer::from(status("RUNNING")),
            _ => Answer::from((404, json!({"detail": "unknown"}))),
        }
    })
}

#[test]
fn watch_reconnects_after_a_broken_stream_until_the_execution_ends() {
    let home = Home::new();
    let fake = Fake::new({
        let asked = std::sync::atomic::AtomicU32::new(0);
        let inner = streaming("COMPLETED").url;
        move |request| {
            // The execution has ended at the second request for its status.
            if request.line.ends_with("/status") {
                let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                return Answer::from(status(if count == 0 { "RUNNING" } else { "COMPLETED" }));
            }
            let path = request.line.split(' ').nth(1).unwrap();
            let text = ureq::get(format!("{inner}{path}"))
                .call()
                .unwrap()
                .body_mut()
                .read_to_string()
                .unwrap();
            Answer::events(&text)
        }
    });
    let text = fake.run(&home, &["status", "42", "--watch", "-v"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("12:00:00.123  step.exit") && lines[0].contains("start"),
        "{text}"
    );
    assert!(
        lines[1].contains("fetch") && lines[1].ends_with("COMPLETED  0.5s"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("====") && text.ends_with("[exit 0]"),
        "{text}"
    );
    let requests = fake.requests();
    let second = requests
        .iter()
        .find(|request| request.line.ends_with("?after=1"))
        .unwrap();
    assert_eq!(second.header("last-event-id"), Some("1"));
    assert_eq!(second.header("accept"), Some("text/event-stream"));
}

#[test]
fn the_exit_code_depends_on_the_final_status() {
    let home = Home::new();
    for (word, expected) in [("COMPLETED", 0), ("FAILED", 1), ("CANCELLED", 1)] {
        let fake = Fake::new(move |request| match request.line.as_str() {
            "POST /api/execute" => Answer::from(started()),
            "GET /api/executions/42/status" => Answer::from(status(word)),
            line if line.contains("/stream") => Answer::events(&format!(
                "event: status\ndata: {{\"execution_id\":\"42\",\"status\":\"{word}\"}}\n\n"
            )),
            _ => Answer::from(detail(&[])),
        });
        let (document, code) = fake.json(&home, &["status", "42", "--watch", "--json"]);
        assert_eq!((document["status"].as_str(), code), (Some(word), expected));
        let (document, code) = fake.json(
            &home,
            &["execute", "playbook", "examples/p", "--watch", "-j"],
        );
        assert_eq!((document["status"].as_str(), code), (Some(word), expected));
        let text = fake.run(&home, &["execute", "playbook", "examples/p", "--watch"]);
        assert!(
            text.starts_with("execution 42 started")
                && text.ends_with(&format!("[exit {expected}]")),
            "{text}"
        );
    }
}

#[test]
fn cancel_includes_the_executions_that_were_started() {
    let home = Home::new();
    let fake = Fake::new(|request| {
        let ids = if request.body["cascade"] == true {
            json!(["42", "43"])
        } else {
            json!(["42"])
        };
        json!({"status": "cancelled", "execution_id": "42", "cancelled_executions": ids, "message": "ok"})
    });
    assert_eq!(
        fake.run(&home, &["cancel", "42", "-r", "why"]),
        "execution 42 cancelled, and 1 that it started\n[exit 0]"
    );
    let (line, body) = fake.request();
    assert_eq!(line, "POST /api/executions/42/cancel");
    assert_eq!(body, json!({"cascade": true, "reason": "why"}));
    assert_eq!(
        fake.run(&home, &["cancel", "42", "--no-cascade"]),
        "execution 42 cancelled\n[exit 0]"
    );
    assert_eq!(fake.request().1, json!({"cascade": false}));
    assert!(
        fake.run(&home, &["cancel", "42", "--cascade"])
            .ends_with("[exit 0]")
    );
    assert_eq!(
        fake.json(&home, &["cancel", "42", "-j"]).0["status"],
        "cancelled"
    );
    let fake = Fake::new(
        |_| json!({"status": "already_completed", "execution_id": "42", "cancelled_executions": [], "message": "ok"}),
    );
    assert_eq!(
        fake.run(&home, &["cancel", "42"]),
        "execution 42 had already ended\n[exit 0]"
    );
}

#[test]
fn cleanup_prints_the_cancelled_executions() {
    let home = Home::new();
    let fake = Fake::new(
        |_| json!({"cancelled_count": 2, "execution_ids": ["41", "42"], "message": "ok"}),
    );
    assert_eq!(
        fake.run(&home, &["cleanup", "--yes"]),
        "41\n42\n2 executions older than 1440 min cancelled\n[exit 0]"
    );
    let (line, body) = fake.request();
    assert_eq!(line, "POST /api/executions/cleanup");
    assert_eq!(body, json!({"older_than_minutes": 1440, "dry_run": false}));
    let text = fake.run(
        &home,
        &["cleanup", "--older-than-minutes", "60", "--dry-run"],
    );
    assert!(
        text.contains("2 executions older than 60 min would be cancelled"),
        "{text}"
    );
    assert_eq!(
        fake.request().1,
        json!({"older_than_minutes": 60, "dry_run": true})
    );
    let json = fake.json(&home, &["cleanup", "-j", "-y"]).0;
    assert_eq!(json["cancelled_count"], 2);
    // Without a terminal and without --yes, nothing is cancelled.
    fake.request();
    let text = fake.run(&home, &["cleanup"]);
    assert!(
        text.contains("there are 2 executions older than 1440 min, and there is no terminal")
            && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert_eq!(
        fake.request().1,
        json!({"older_than_minutes": 1440, "dry_run": true})
    );
}
