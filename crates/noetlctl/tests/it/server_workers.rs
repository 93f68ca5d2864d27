//! The API for workers: leases, lapsed leases, repeated and late outcomes.

use std::path::Path;

use serde_json::{Value, json};

use crate::live::{Live, Worker, playbook, shell, until};
use crate::support::wait_for;

const NONE: Value = Value::Null;

/// Starts a server that runs no commands itself.
pub(crate) fn idle() -> Live {
    Live::with(&["--max-workers", "0"])
}

fn register(live: &Live, worker: &str) {
    live.post(
        "/api/worker/pool/register",
        &json!({"name": worker, "capacity": 2}),
    );
}

/// Claims up to `limit` commands, without waiting.
pub(crate) fn claim(live: &Live, worker: &str, limit: u32) -> Vec<Value> {
    let body = json!({"worker_id": worker, "limit": limit});
    let answer = live.post("/api/commands/claim", &body);
    answer["commands"].as_array().unwrap().clone()
}

pub(crate) fn outcome(command: &Value, worker: &str, result: &Value) -> Value {
    json!({
        "execution_id": command["execution_id"], "step": command["step"], "name": "call.done",
        "payload": {"result": result}, "meta": {"command_id": command["id"]}, "worker_id": worker,
    })
}

/// Ends all leases, as 30 seconds without a heartbeat do.
fn end_leases(live: &Live) {
    live.sql("UPDATE command SET lease_until = 1 WHERE worker_id IS NOT NULL");
}

pub(crate) fn one_step(live: &Live) -> String {
    live.register(&playbook(
        "t/one",
        &[("start", shell("echo never run here"))],
    ));
    live.execute("t/one", &json!({}))
}

#[test]
fn a_command_has_one_holder_and_its_outcome_counts_once() {
    let live = idle();
    let execution = one_step(&live);
    let issued = live
        .events(&execution)
        .into_iter()
        .find(|event| event["event_type"] == "command.issued");
    let event = issued.unwrap()["event_id"].as_str().unwrap().to_owned();
    let path = format!("/api/commands/{event}");
    assert_eq!(live.get(&path)["status"], "pending");
    let claimed = live.post(&format!("{path}/claim"), &json!({"worker_id": "a"}));
    assert_eq!(
        (&claimed["status"], &claimed["action"]),
        (&json!("claimed"), &json!("shell"))
    );
    for worker in ["a", "b"] {
        live.expect(
            409,
            "POST",
            &format!("{path}/claim"),
            &json!({"worker_id": worker}),
        );
    }
    assert!(claim(&live, "b", 5).is_empty());
    let command = &claimed["context"];
    live.expect(
        409,
        "POST",
        "/api/events",
        &outcome(command, "b", &json!(1)),
    );
    let first = live.post("/api/events", &outcome(command, "a", &json!({"x": 1})));
    assert_eq!(
        (&first["duplicate"], &first["commands_generated"]),
        (&json!(false), &json!(0))
    );
    let second = live.post("/api/events", &outcome(command, "a", &json!({"x": 2})));
    assert_eq!(
        (&second["duplicate"], &second["event_id"]),
        (&json!(true), &first["event_id"])
    );
    let state = live.status(&execution);
    assert_eq!(
        (&state["status"], &state["result"]),
        (&json!("COMPLETED"), &json!({"x": 1}))
    );
    assert_eq!(live.count(&execution, "call.done", "start"), 1);
    live.expect(
        404,
        "POST",
        &format!("{path}/claim"),
        &json!({"worker_id": "a"}),
    );
}

#[test]
fn a_lapsed_command_is_claimed_again_and_a_late_outcome_refused() {
    let live = idle();
    let execution = one_step(&live);
    register(&live, "a");
    let held = claim(&live, "a", 1);
    assert_eq!(held.len(), 1);
    end_leases(&live);
    // A heartbeat renews a lapsed lease that no other worker has claimed.
    let beat = json!({"name": "a", "commands": [held[0]["id"]]});
    assert_eq!(
        live.post("/api/worker/pool/heartbeat", &beat)["cancelled"],
        json!([])
    );
    assert!(claim(&live, "b", 1).is_empty());
    end_leases(&live);
    let again = claim(&live, "b", 1);
    assert_eq!(again[0]["id"], held[0]["id"]);
    let answer = live.post("/api/worker/pool/heartbeat", &beat);
    assert_eq!(
        answer["cancelled"],
        json!([held[0]["id"]]),
        "a learns that it has lost the command"
    );
    live.expect(
        409,
        "POST",
        "/api/events",
        &outcome(&held[0], "a", &json!("late")),
    );
    live.post("/api/events", &outcome(&again[0], "b", &json!("in time")));
    assert_eq!(live.ended(&execution)["result"], "in time");
    assert_eq!(live.count(&execution, "call.done", "start"), 1);
}

#[test]
fn deregistering_returns_the_commands_of_that_worker_alone() {
    let live = idle();
    one_step(&live);
    live.execute("t/one", &json!({}));
    live.execute("t/one", &json!({}));
    for worker in ["w-1", "w-12", "w_1"] {
        register(&live, worker);
        assert_eq!(claim(&live, worker, 1).len(), 1);
    }
    let running = |name: &str| {
        let pools = live.get("/api/worker/pools");
        let pool = pools["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|pool| pool["name"] == name);
        pool.map(|pool| pool["running"].as_i64().unwrap())
    };
    live.post("/api/worker/pool/deregister", &json!({"name": "w-1"}));
    assert_eq!(running("w-1"), None);
    assert_eq!((running("w-12"), running("w_1")), (Some(1), Some(1)));
    assert_eq!(claim(&live, "other", 5).len(), 1, "only the command of w-1");
    live.expect(
        200,
        "DELETE",
        "/api/worker/pool/deregister",
        &json!({"name": "w_1"}),
    );
    assert_eq!(running("w-12"), Some(1));
    live.expect(
        404,
        "POST",
        "/api/worker/pool/deregister",
        &json!({"name": "w-1"}),
    );
}

#[test]
fn a_claim_waits_until_there_is_work() {
    let live = idle();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        let claim = scope.spawn(|| {
            live.post(
                "/api/commands/claim",
                &json!({"worker_id": "a", "wait_seconds": 30}),
            )
        });
        live.execute("t/one", &json!({}));
        let answer = claim.join().unwrap();
        assert_eq!(answer["commands"].as_array().unwrap().len(), 1);
        assert_eq!(answer["lease_seconds"], 30);
    });
    assert!(started.elapsed().as_secs() < 10);
    let body = json!({"worker_id": "a", "wait_seconds": 31});
    live.expect(422, "POST", "/api/commands/claim", &body);
    let body = json!({"worker_id": "a", "limit": 0});
    live.expect(422, "POST", "/api/commands/claim", &body);
}

#[test]
fn a_cancelled_command_is_taken_from_its_worker() {
    let live = idle();
    let execution = one_step(&live);
    register(&live, "a");
    let held = claim(&live, "a", 1);
    live.post(&format!("/api/executions/{execution}/cancel"), &json!({}));
    let beat = json!({"name": "a", "commands": [held[0]["id"]]});
    let answer = live.post("/api/worker/pool/heartbeat", &beat);
    assert_eq!(answer["cancelled"], json!([held[0]["id"]]));
    let (status, answer) = live.json("POST", "/api/events", &outcome(&held[0], "a", &json!(1)));
    assert!(matches!(status, 404 | 409), "{status} {answer}");
    assert_eq!(live.status(&execution)["status"], "CANCELLED");
    // The worker cannot call a playbook for the cancelled execution either.
    live.register(&playbook("t/child", &[("start", shell("true"))]));
    let call =
        json!({"execution_id": execution, "path": "t/child", "caller": "t/one@1", "key": "k"});
    let answer = live.post("/api/worker/playbook", &call);
    assert_eq!(answer["status"], "FAILED", "{answer}");
    let children = live.get(&format!("/api/executions?parent_execution_id={execution}"));
    assert_eq!(children, json!([]));
}

fn line(file: &Path) -> String {
    until("the step writes its line", || {
        let text = std::fs::read_to_string(file).ok()?;
        text.ends_with('\n').then_some(text)
    })
}

#[test]
fn a_worker_runs_commands_and_is_stopped() {
    let live = idle();
    live.register(&playbook(
        "t/one",
        &[
            ("start", shell("echo ran")),
            ("end", json!({"kind": "noop"})),
        ],
    ));
    let mut worker = Worker::start(&live, "one", "4");
    let state = live.run("t/one", &json!({}));
    assert_eq!(
        (&state["status"], &state["result"]["stdout"]),
        (&json!("COMPLETED"), &json!("ran\n"))
    );
    let execution = state["execution_id"].as_str().unwrap();
    let timeline = live.get(&format!("/api/executions/{execution}/timeline"));
    let name = timeline["steps"][0]["worker_id"].as_str().unwrap();
    let pools = live.get("/api/worker/pools");
    assert_eq!(pools["items"][0]["name"], name);
    assert_eq!(
        (&pools["items"][0]["capacity"], &pools["items"][0]["status"]),
        (&json!(4), &json!("ready"))
    );
    let text = live.home.run(&["worker", "stop"]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    assert!(worker.child.wait().unwrap().success());
    assert_eq!(live.get("/api/worker/pools")["count"], 0);
    let text = live.home.run(&["worker", "stop"]);
    assert!(
        text.contains("no worker is running") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
#[cfg(unix)]
fn another_worker_runs_the_step_of_a_killed_one() {
    let live = idle();
    let (file, gate) = (live.home.path().join("ran"), live.home.path().join("gate"));
    let script = format!("echo x >> {}; {}", file.display(), wait_for(&gate));
    live.register(&playbook("t/kill", &[("start", shell(&script))]));
    let mut first = Worker::start(&live, "first", "1");
    let execution = live.execute("t/kill", &json!({}));
    assert_eq!(line(&file), "x\n");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert_eq!(live.status(&execution)["status"], "RUNNING");
    let _second = Worker::start(&live, "second", "1");
    assert!(claim(&live, "probe", 1).is_empty(), "the lease still holds");
    end_leases(&live);
    until("the second worker has it", || {
        (line(&file) == "x\nx\n").then_some(())
    });
    std::fs::write(&gate, NONE.to_string()).unwrap();
    assert_eq!(live.ended(&execution)["status"], "COMPLETED");
    assert_eq!(live.count(&execution, "call.done", "start"), 1);
}

#[test]
fn a_worker_with_one_slot_runs_playbooks_that_call_playbooks() {
    let live = idle();
    nest(&live, 4);
    let _worker = Worker::start(&live, "narrow", "1");
    let state = live.run("t/level0", &json!({}));
    assert_eq!(
        (&state["status"], &state["result"]["stdout"]),
        (&json!("COMPLETED"), &json!("deep\n")),
        "{state}"
    );
}

#[test]
fn a_server_with_one_slot_runs_playbooks_that_call_playbooks() {
    let live = Live::with(&["--max-workers", "1"]);
    nest(&live, 6);
    let runs: Vec<String> = (0..3)
        .map(|_| live.execute("t/level0", &json!({})))
        .collect();
    for execution in runs {
        let state = live.ended(&execution);
        assert_eq!(
            (&state["status"], &state["result"]["stdout"]),
            (&json!("COMPLETED"), &json!("deep\n")),
            "{state}"
        );
    }
}

/// Registers playbooks of which each calls the next.
fn nest(live: &Live, depth: usize) {
    for level in 0..depth {
        let tool = json!({"kind": "playbook", "path": format!("t/level{}", level + 1)});
        live.register(&playbook(&format!("t/level{level}"), &[("start", tool)]));
    }
    live.register(&playbook(
        &format!("t/level{depth}"),
        &[("start", shell("echo deep"))],
    ));
}
