//! Invalid requests to a real server: each is answered with a status and a message, and never with 500.

use serde_json::{Value, json};

use crate::live::{Live, playbook, shell};
use crate::support::show;

/// Status, method, path and body of invalid requests.
const REFUSED: &str = r#"
404 POST /api/execute {"path": "t/none"}
404 POST /api/execute {"catalog_id": "1"}
404 POST /api/execute {"path": "t/one", "version": 7}
422 POST /api/execute {"path": "t/one", "target": "nowhere"}
422 POST /api/execute {"path": "t/one", "payload": [1]}
422 POST /api/execute {}
404 POST /api/executions/1/cancel {}
404 POST /api/executions/1/rerun {}
404 POST /api/executions/1/finalize {}
404 GET /api/executions/1 null
404 GET /api/executions/x null
404 GET /api/executions/1/status null
404 GET /api/executions/1/events null
404 GET /api/executions/1/stream null
404 GET /api/executions/1/timeline null
404 GET /api/executions/1/graph null
404 GET /api/executions/1/cancellation-check null
422 GET /api/executions?limit=many null
422 GET /api/executions?since=yesterday null
422 POST /api/executions/cleanup {"older_than_minutes": -1}
404 GET /api/vars/1 null
404 POST /api/vars/1 {"variables": {}}
404 DELETE /api/vars/1/x null
422 POST /api/catalog/register {"content": "a: [", "resource_type": "Playbook"}
422 POST /api/catalog/register {}
404 POST /api/catalog/resource {"path": "t/none"}
422 POST /api/catalog/resource {}
404 GET /api/catalog/get/t/none null
404 GET /api/catalog/graph?path=t/none null
404 DELETE /api/catalog/entry?path=t/none null
404 GET /api/credentials/none null
404 DELETE /api/credentials/none null
404 POST /api/credentials/none/test {}
422 POST /api/credentials {"name": "", "type": "postgres", "data": {}}
422 POST /api/credentials {"name": "x"}
422 POST /api/worker/pool/register {"name": " "}
404 POST /api/worker/pool/heartbeat {"name": "nobody"}
404 POST /api/worker/pool/deregister {"name": "nobody"}
422 POST /api/commands/claim {"worker_id": ""}
404 POST /api/commands/1/claim {"worker_id": "w"}
404 GET /api/commands/1 null
422 POST /api/events {"execution_id": "1", "name": "call.done"}
404 POST /api/events {"execution_id": "1", "name": "call.done", "worker_id": "w", "meta": {"command_id": "1:x:1"}}
400 POST /api/events {"execution_id": "1", "name": "call.done", "worker_id": "w", "meta": {"command_id": "1:x:1"}, "payload": {"reslt": 1}}
422 POST /api/postgres/execute {}
422 POST /api/postgres/execute {"query_base64": "?"}
422 POST /api/context/render {"template": "{{ nothing }}"}
422 GET /api/dashboard/stats?hours=x null
405 PATCH /api/execute {}
"#;

#[test]
fn every_endpoint_refuses_invalid_requests() {
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    for line in REFUSED.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        let [status, method, path, body] = parts[..] else {
            panic!("not four parts: {line}");
        };
        let body: Value = serde_json::from_str(body).unwrap();
        let (found, answer) = live.json(method, path, &body);
        assert_eq!(
            found.to_string(),
            status,
            "{method} {path} {body}: {answer}"
        );
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "{method} {path}: {answer}");
        assert!(
            !detail.contains("sqlx") && !detail.contains("panicked"),
            "{detail}"
        );
    }
}

#[test]
fn a_body_is_json_of_limited_size() {
    let live = Live::new();
    let json_type: &[(&str, &str)] = &[("content-type", "application/json")];
    let not_json = live.ask("POST", "/api/execute", json_type, b"{");
    assert_eq!(not_json.status, 400, "{}", not_json.text);
    let no_type = live.ask(
        "POST",
        "/api/execute",
        &[("content-type", "text/plain")],
        b"{}",
    );
    assert_eq!(no_type.status, 415, "{}", no_type.text);
    // The content-length exceeds the limit, so that the body is not read.
    let mut large = br#"{"template": ""#.to_vec();
    large.resize((64 << 20) + 1024, b'x');
    large.extend(br#""}"#);
    let large = live.ask("POST", "/api/context/render", json_type, &large);
    assert_eq!(large.status, 413, "{}", large.text);
    assert_eq!(live.get("/health")["status"], "ok");
}

#[test]
fn the_answer_for_an_invalid_playbook_has_every_problem_with_its_place() {
    let live = Live::new();
    let playbook = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: bad, path: t/bad}\nworkflow:\n- step: start\n  \
        tool: {kind: teleport}\n  next: [{step: nowhere}]\n";
    let (status, answer) = live.json(
        "POST",
        "/api/catalog/register",
        &json!({"content": playbook}),
    );
    assert_eq!(status, 422);
    let problems = answer["problems"].as_array().unwrap();
    let lines: Vec<&Value> = problems
        .iter()
        .map(|problem| &problem["place"]["line"])
        .collect();
    assert!(
        lines.contains(&&json!(6)) && lines.contains(&&json!(7)),
        "{answer}"
    );
    assert!(
        problems
            .iter()
            .all(|problem| problem["severity"] == "error"),
        "{answer}"
    );
    let validated = live.post("/api/catalog/validate", &json!({"content": playbook}));
    assert_eq!(validated["valid"], false);
    assert_eq!(
        validated["problems"].as_array().unwrap().len(),
        problems.len()
    );
    assert_eq!(
        live.post("/api/catalog/list", &json!({}))["entries"],
        json!([])
    );
}

#[test]
fn queries_cannot_change_the_store() {
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let ask = |body: Value| live.post("/api/postgres/execute", &body);
    let read =
        ask(json!({"query": "SELECT path FROM catalog WHERE version = $1", "parameters": [1]}));
    assert_eq!(
        (&read["status"], &read["result"]),
        (&json!("ok"), &json!([["t/one"]])),
        "{read}"
    );
    for body in [
        json!({"query": "DELETE FROM catalog"}),
        json!({"query": "DELETE FROM catalog WHERE version = $1", "parameters": [1]}),
        json!({"query": "DELETE FROM noetl.catalog"}),
        json!({"query": "PRAGMA query_only = OFF; DELETE FROM catalog"}),
        json!({"query": "ATTACH 'new.db' AS fresh; CREATE TABLE fresh.t (a)"}),
    ] {
        let answer = ask(body.clone());
        assert_eq!(answer["status"], "error", "{body}: {answer}");
    }
    assert_eq!(
        ask(json!({"query": "SELECT COUNT(*) FROM catalog"}))["result"],
        json!([[1]])
    );
}

#[test]
fn every_operation_of_the_document_has_a_route() {
    let live = Live::new();
    let document = live.get("/api/openapi.json");
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        // A stream does not end.
        let is_stream = path.ends_with("/stream");
        for method in operations
            .as_object()
            .unwrap()
            .keys()
            .filter(|_| !is_stream)
        {
            let (method, path) = (method.to_uppercase(), path.replace(['{', '}'], ""));
            let json = ("content-type", "application/json");
            let answer = live.ask(&method, &path, &[json], b"{");
            let is_routed = answer.status != 405 && !answer.text.contains("API endpoint not found");
            assert!(
                is_routed,
                "{method} {path}: {} {}",
                answer.status, answer.text
            );
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

const WITH_SCHEMA: &str = "apiVersion: noetl.io/v2
kind: Playbook
metadata: {name: region, path: t/region}
workload: {replicas: 2}
workload_schema:
  required: [region]
  properties:
    region: {enum: [eu, us], description: Where the cluster runs}
    replicas: {type: integer, maximum: 5}
workflow:
- step: one
  tool: {kind: shell, cmds: 'exit 3'}
";

#[test]
fn an_input_that_does_not_fit_its_schema_starts_nothing() {
    let live = Live::new();
    live.register(WITH_SCHEMA);
    let body = json!({"path": "t/region", "payload": {"replicas": 7}});
    let refused = live.expect(422, "POST", "/api/execute", &body);
    let problems = refused["problems"].as_array().unwrap().iter();
    let fields: Vec<_> = problems
        .map(|problem| (&problem["place"]["field"], &problem["message"]))
        .collect();
    assert_eq!(
        fields,
        [
            (
                &json!("workload.region"),
                &json!("has no value, and needs one")
            ),
            (&json!("workload.replicas"), &json!("must be at most 5")),
        ]
    );
    let output = live
        .noetl(&["execute", "playbook", "t/region"])
        .output()
        .unwrap();
    let text = show(&output);
    assert!(text.contains("workload.region"), "{text}");
    assert!(text.contains("Where the cluster runs"), "{text}");
    assert!(text.ends_with("[exit 1]"), "{text}");
    assert_eq!(live.get("/api/executions"), json!([]));

    // A step that calls it fails with the same words.
    live.register(
        "apiVersion: noetl.io/v2
kind: Playbook
metadata: {name: caller, path: t/caller}
workflow:
- {step: call, tool: {kind: playbook, path: t/region, args: {region: mars}}}
",
    );
    let caller = live.execute("t/caller", &json!({}));
    let ended = live.ended(&caller);
    let error = ended["error"].to_string();
    assert!(error.contains("must be one of"), "{ended}");
    assert_eq!(live.get("/api/executions").as_array().unwrap().len(), 1);

    // A repeated request is answered as the first one, also when a newer version asks for more.
    let key = [
        ("idempotency-key", "once"),
        ("content-type", "application/json"),
    ];
    let body = json!({"path": "t/region", "payload": {"region": "eu"}}).to_string();
    let start = || {
        let answer = live.ask("POST", "/api/execute", &key, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        answer["execution_id"].as_str().unwrap().to_owned()
    };
    let first = start();
    // A newer version may ask for more than an execution was given.
    assert_eq!(live.ended(&first)["status"], "FAILED");
    live.register(&WITH_SCHEMA.replace("[region]", "[region, day]"));
    let retry = format!("/api/executions/{first}/retry");
    let refused = live.expect(422, "POST", &retry, &json!({"version": "latest"}));
    assert_eq!(refused["problems"][0]["place"]["field"], "workload.day");
    live.post(&retry, &json!({}));
    assert_eq!(start(), first);
}
