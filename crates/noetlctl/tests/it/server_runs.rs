//! Executions on a real server: events, results, cancel, rerun, cleanup and variables.

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell, until};
use crate::support::wait_for;

/// The events of a successful run of one step and an end, in order.
const GOOD: [&str; 18] = [
    "playbook.initialized",
    "workflow.initialized",
    "command.issued",
    "command.claimed",
    "command.started",
    "step.enter",
    "call.done",
    "step.exit",
    "command.completed",
    "command.issued",
    "command.claimed",
    "command.started",
    "step.enter",
    "call.done",
    "step.exit",
    "command.completed",
    "workflow.completed",
    "playbook.completed",
];

fn is_digits(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn events_have_their_order_string_ids_and_upper_case_statuses() {
    let live = Live::new();
    let steps = [
        ("start", shell("echo hello")),
        ("end", json!({"kind": "noop"})),
    ];
    let registered = live.register(&playbook("t/good", &steps));
    let state = live.run("t/good", &json!({}));
    assert_eq!(state["status"], "COMPLETED", "{state}");
    assert_eq!(state["completed_steps"], json!(["start", "end"]));
    let execution = state["execution_id"].as_str().unwrap();
    let events = live.events(execution);
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(names, GOOD);
    let mut last = 0;
    for event in &events {
        for key in ["event_id", "execution_id", "catalog_id"] {
            assert!(is_digits(&event[key]), "{key}: {event}");
        }
        assert_eq!(event["catalog_id"], registered["catalog_id"]);
        let status = event["status"].as_str().unwrap();
        assert_eq!(status, status.to_uppercase());
        let id: i64 = event["event_id"].as_str().unwrap().parse().unwrap();
        assert!(id > last, "{id} after {last}");
        last = id;
    }
    let answer = live.ask("GET", "/api/executions", &[], b"");
    assert_eq!(answer.headers["x-total-count"], "1");
    let list: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(list[0]["status"], "COMPLETED");
    assert_eq!(list[0]["progress"], 100);
    assert_eq!(list[0]["result"]["stdout"], "hello\n");
    let page = live.get(&format!("/api/executions/{execution}?page=2&page_size=10"));
    assert_eq!(page["pagination"]["total_events"], 18);
    assert_eq!(page["pagination"]["has_next"], false);
    assert_eq!(
        page["events"].as_array().unwrap().len(),
        8,
        "newest first, so the oldest eight"
    );
    assert_eq!(page["events"][7]["event_type"], "playbook.initialized");
    let timeline = live.get(&format!("/api/executions/{execution}/timeline"));
    assert_eq!(timeline["steps"][0]["step"], "start");
    let graph = live.get(&format!("/api/executions/{execution}/graph"));
    assert_eq!(
        graph["states"]["start"],
        json!({"status": "COMPLETED", "count": 1})
    );
}

#[test]
fn a_failed_execution_has_the_place_of_its_error() {
    let live = Live::new();
    live.register(&playbook(
        "t/bad",
        &[("start", shell("echo reason >&2; exit 3"))],
    ));
    let state = live.run("t/bad", &json!({}));
    assert_eq!(
        (&state["status"], &state["failed"]),
        (&json!("FAILED"), &json!(true)),
        "{state}"
    );
    assert!(
        state["error"].as_str().unwrap().contains("reason"),
        "{state}"
    );
    let execution = state["execution_id"].as_str().unwrap();
    let events = live.events(execution);
    let error = events
        .iter()
        .find(|event| event["event_type"] == "call.error")
        .unwrap();
    assert_eq!(error["error"]["code"], 3);
    assert_eq!(error["error"]["place"]["step"], "start");
    assert_eq!(error["error"]["place"]["file"], "t/bad@1");
    assert_eq!(error["result"]["exit_code"], 3);
    let names: Vec<&Value> = events
        .iter()
        .rev()
        .take(2)
        .map(|event| &event["event_type"])
        .collect();
    assert_eq!(names, ["playbook.failed", "workflow.failed"]);
    let failed = live.get("/api/executions?status=failed");
    assert_eq!(failed[0]["execution_id"], execution);
    let check = live.get(&format!("/api/executions/{execution}/cancellation-check"));
    assert_eq!(check["event_type"], "playbook.failed");
}

/// Waits for the process id that a step writes into a file.
fn process(file: &std::path::Path) -> String {
    until("the step writes its process id", || {
        let text = std::fs::read_to_string(file).ok()?;
        text.ends_with('\n').then(|| text.trim().to_owned())
    })
}

fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A zombie has ended already.
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn endless(file: &std::path::Path) -> Value {
    shell(&format!(
        "echo $$ > {0}.part; mv {0}.part {0}; sleep 600",
        file.display()
    ))
}

#[test]
#[cfg(target_os = "linux")]
fn cancel_ends_the_process_and_the_called_playbook() {
    let live = Live::new();
    let file = live.home.path().join("pid");
    live.register(&playbook("t/child", &[("start", endless(&file))]));
    live.register(&playbook(
        "t/parent",
        &[("start", json!({"kind": "playbook", "path": "t/child"}))],
    ));
    let parent = live.execute("t/parent", &json!({}));
    let process = process(&file);
    assert!(is_alive(&process));
    let children = live.get(&format!("/api/executions?parent_execution_id={parent}"));
    let child = children[0]["execution_id"].as_str().unwrap();
    let answer = live.post(
        &format!("/api/executions/{parent}/cancel"),
        &json!({"reason": "enough"}),
    );
    assert_eq!(answer["status"], "cancelled");
    assert_eq!(answer["cancelled_executions"], json!([parent, child]));
    until("the process has ended", || {
        (!is_alive(&process)).then_some(())
    });
    for execution in [parent.as_str(), child] {
        let state = live.status(execution);
        assert_eq!(
            (&state["status"], &state["cancelled"]),
            (&json!("CANCELLED"), &json!(true))
        );
        assert!(
            state["error"]
                .as_str()
                .is_none_or(|error| error.contains("enough")),
            "{state}"
        );
        assert_eq!(
            live.events(execution).last().unwrap()["event_type"],
            "execution.cancelled"
        );
    }
    let again = live.post(&format!("/api/executions/{parent}/cancel"), &json!({}));
    assert_eq!(again["status"], "already_completed");
}

#[test]
#[cfg(target_os = "linux")]
fn finalize_ends_the_process_and_the_execution() {
    let live = Live::new();
    let file = live.home.path().join("pid");
    live.register(&playbook("t/endless", &[("start", endless(&file))]));
    let execution = live.execute("t/endless", &json!({}));
    let process = process(&file);
    let path = format!("/api/executions/{execution}/finalize");
    live.expect(422, "POST", &path, &json!({"status": "COMPLETED"}));
    let answer = live.post(&path, &json!({"status": "FAILED", "error": "it hangs"}));
    assert_eq!(answer["status"], "finalized");
    let state = live.status(&execution);
    assert_eq!(
        (&state["status"], &state["error"]),
        (&json!("FAILED"), &json!("it hangs"))
    );
    assert_eq!(
        live.events(&execution).last().unwrap()["event_type"],
        "playbook.failed"
    );
    until("the process has ended", || {
        (!is_alive(&process)).then_some(())
    });
    assert_eq!(live.post(&path, &json!({}))["status"], "already_completed");
}

#[test]
fn cleanup_has_a_dry_run() {
    let live = Live::new();
    live.register(&playbook("t/endless", &[("start", shell("sleep 600"))]));
    let execution = live.execute("t/endless", &json!({}));
    let all = json!({"older_than_minutes": 0, "dry_run": true});
    let young = live.post("/api/executions/cleanup", &json!({"dry_run": true}));
    assert_eq!(young["cancelled_count"], 0);
    let old = |body: &Value| {
        until("it is older than this millisecond", || {
            let answer = live.post("/api/executions/cleanup", body);
            (answer["cancelled_count"] == 1).then_some(answer)
        })
    };
    assert_eq!(old(&all)["execution_ids"], json!([execution]));
    assert_eq!(live.status(&execution)["status"], "RUNNING");
    assert_eq!(
        old(&json!({"older_than_minutes": 0}))["execution_ids"],
        json!([execution])
    );
    assert_eq!(live.status(&execution)["status"], "CANCELLED");
}

#[test]
fn rerun_uses_the_same_version_and_payload_or_others() {
    let live = Live::new();
    let first = playbook(
        "t/again",
        &[("start", shell("echo one {{ workload.name }}"))],
    );
    live.register(&first.replace("\"workflow\"", "\"workload\":{\"name\":\"x\"},\"workflow\""));
    let state = live.run("t/again", &json!({"name": "y"}));
    live.register(&playbook("t/again", &[("start", shell("echo two"))]));
    let path = format!(
        "/api/executions/{}/rerun",
        state["execution_id"].as_str().unwrap()
    );
    for (body, expected) in [
        (json!({}), "one y\n"),
        (json!({"payload": {"name": "z"}}), "one z\n"),
    ] {
        let again = live.post(&path, &body);
        assert_ne!(again["execution_id"], state["execution_id"]);
        let state = live.ended(again["execution_id"].as_str().unwrap());
        assert_eq!(state["result"]["stdout"], expected, "{state}");
    }
}

#[test]
fn an_ended_execution_is_readable_without_its_playbook() {
    let live = Live::new();
    live.register(&playbook("t/gone", &[("start", shell("echo kept"))]));
    let state = live.run("t/gone", &json!({}));
    let execution = state["execution_id"].as_str().unwrap();
    live.expect(
        200,
        "DELETE",
        "/api/catalog/entry?path=t/gone",
        &Value::Null,
    );
    live.expect(404, "POST", "/api/execute", &json!({"path": "t/gone"}));
    let after = live.status(execution);
    assert_eq!(
        (&after["status"], &after["result"]),
        (&state["status"], &state["result"])
    );
    live.get(&format!("/api/executions/{execution}"));
    live.get(&format!("/api/executions/{execution}/timeline"));
    live.get(&format!("/api/vars/{execution}"));
}

#[test]
fn variables_are_read_set_and_deleted() {
    let live = Live::new();
    let gate = live.home.path().join("gate");
    let steps = [
        ("start", shell(&wait_for(&gate))),
        ("show", shell("echo {{ ctx.colour }}")),
    ];
    live.register(&playbook("t/vars", &steps));
    let execution = live.execute("t/vars", &json!({}));
    let path = format!("/api/vars/{execution}");
    let set = live.post(&path, &json!({"variables": {"colour": "red", "size": 3}}));
    assert_eq!(set["variables"]["colour"]["value"], "red");
    assert_eq!(
        live.get(&format!("{path}/size"))["variables"]["size"]["value"],
        3
    );
    live.expect(404, "GET", &format!("{path}/nothing"), &Value::Null);
    live.expect(200, "DELETE", &format!("{path}/size"), &Value::Null);
    live.expect(422, "POST", &path, &json!({"variables": "red"}));
    std::fs::write(&gate, "").unwrap();
    let state = live.ended(&execution);
    assert_eq!(state["result"]["stdout"], "red\n", "{state}");
    live.expect(
        409,
        "POST",
        &path,
        &json!({"variables": {"colour": "blue"}}),
    );
}

#[test]
fn a_closed_connection_leaves_no_execution_unfinished() {
    use std::io::Write as _;
    let live = Live::new();
    live.register(&playbook("t/quick", &[("start", json!({"kind": "noop"}))]));
    let address = live.url().replace("http://", "");
    let body = json!({"path": "t/quick"}).to_string();
    let length = body.len();
    let request = format!(
        "POST /api/execute HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
        content-length: {length}\r\n\r\n{body}"
    );
    for number in 0..400 {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // The connection is closed at different moments of the answer.
        std::thread::sleep(std::time::Duration::from_micros(number * 10));
    }
    live.run("t/quick", &json!({}));
    // Much shorter than a lease.
    let started = std::time::Instant::now();
    until("all executions have ended", || {
        let running = live.get("/api/executions?status=RUNNING");
        (running == json!([])).then_some(())
    });
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
