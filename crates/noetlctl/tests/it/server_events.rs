//! Reports of workers other than single outcomes: batches, and claims by an event.

use serde_json::{Value, json};

use crate::live::{playbook, shell};
use crate::server_workers::{claim, idle, one_step, outcome};

#[test]
fn an_answered_batch_is_stored_and_found_by_its_id() {
    let live = idle();
    let steps = [("start", shell("true")), ("then", shell("true"))];
    live.register(&playbook("t/two", &steps));
    let execution = live.execute("t/two", &json!({}));
    let command = claim(&live, "a", 1).remove(0);
    let done = outcome(&command, "a", &json!(1));
    let batch = json!({"execution_id": execution, "worker_id": "a", "events": [
        {"step": "start", "name": "command.started", "meta": done["meta"]},
        {"step": "start", "name": "call.done", "payload": done["payload"], "meta": done["meta"]},
    ]});
    let first = live.expect(202, "POST", "/api/events/batch", &batch);
    assert_eq!(first["event_ids"].as_array().unwrap().len(), 1);
    for (name, value) in [
        ("status", json!("completed")),
        ("commands_generated", json!(1)),
        ("queue_depth", json!(1)),
        ("duplicate", json!(false)),
    ] {
        assert_eq!(first[name], value, "{name}: {first}");
    }
    let name = first["request_id"].as_str().unwrap();
    let state = live.get(&format!("/api/events/batch/{name}/status"));
    let expected = json!({"request_id": name, "execution_id": execution, "status": "completed"});
    assert_eq!(state, expected);
    let stream = live.ask("GET", &format!("/api/events/batch/{name}/stream"), &[], b"");
    let message = stream.text.trim().strip_prefix("event: status\ndata: ");
    let message: Value = serde_json::from_str(message.unwrap()).unwrap();
    assert_eq!(message, expected);
    let second = live.expect(202, "POST", "/api/events/batch", &batch);
    assert_eq!(second["event_ids"], first["event_ids"]);
    assert_eq!(
        (&second["duplicate"], &second["commands_generated"]),
        (&json!(true), &json!(0))
    );
    let elsewhere = format!("{execution}-1");
    for unknown in ["x", "1-0", "1-x", &elsewhere] {
        for what in ["status", "stream"] {
            let path = format!("/api/events/batch/{unknown}/{what}");
            live.expect(404, "GET", &path, &Value::Null);
        }
    }
    let nowhere = json!({"execution_id": "1", "events": []});
    live.expect(404, "POST", "/api/events/batch", &nowhere);
}

#[test]
fn older_workers_claim_by_an_event_and_only_one_succeeds() {
    let live = idle();
    let execution = one_step(&live);
    let issued = live
        .events(&execution)
        .into_iter()
        .find(|event| event["event_type"] == "command.issued");
    let event = issued.unwrap()["event_id"].as_str().unwrap().to_owned();
    let pending = live.get(&format!("/api/commands/{event}"));
    let command = &pending["context"];
    let report = |name: &str, worker: &str| {
        json!({
            "execution_id": execution, "step": "start", "name": name,
            "payload": {"worker_id": worker}, "meta": {"command_id": command["id"]},
        })
    };
    for _ in 0..2 {
        live.post("/api/events", &report("command.claimed", "a"));
    }
    assert!(claim(&live, "c", 5).is_empty());
    for name in ["command.claimed", "command.started", "command.completed"] {
        live.expect(409, "POST", "/api/events", &report(name, "b"));
    }
    let mut elsewhere = report("command.claimed", "a");
    elsewhere["execution_id"] = live.execute("t/one", &json!({})).into();
    live.expect(404, "POST", "/api/events", &elsewhere);
    live.post("/api/events", &outcome(command, "a", &json!(1)));
    live.post("/api/events", &report("command.completed", "a"));
    assert_eq!(live.ended(&execution)["result"], 1);
    let mut late = report("command.claimed", "b");
    live.expect(409, "POST", "/api/events", &late);
    late["execution_id"] = "1".into();
    live.expect(404, "POST", "/api/events", &late);
    late["execution_id"] = execution.into();
    late["meta"] = json!({});
    live.expect(422, "POST", "/api/events", &late);
}
