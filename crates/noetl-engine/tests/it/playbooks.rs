//! Playbooks that call playbooks.

use serde_json::json;

use crate::harness::{TestHost, text};

fn child() -> String {
    text("workload: {who: nobody, list: []}
workflow:
- {step: first, tool: {kind: noop, args: {hello: '{{ workload.who }}', list: '{{ workload.list }}'}}, next: last}
- {step: last, tool: {kind: noop, args: {bye: '{{ workload.who }}'}}}
")
}

#[tokio::test]
async fn arguments_override_the_workload_and_the_result_is_that_of_the_last_step() {
    for args in ["args", "input"] {
        let host = TestHost::new();
        host.write("child.yaml", &child());
        let body = format!("workload: {{name: Ada}}
workflow:
- step: call
  tool: {{kind: playbook, path: child.yaml, {args}: {{who: '{{{{ workload.name }}}}', list: '{{{{ [1, 2] }}}}'}}}}
  next: show
- {{step: show, tool: {{kind: noop, args: {{got: '{{{{ call.bye }}}}'}}}}}}
");
        let ran = host.run(&body).await.completed();
        assert_eq!(ran.result("show"), json!({"got": "Ada"}));
        let calls = host.calls.lock().unwrap();
        assert_eq!(calls[0].caller, "test.yaml");
        assert_eq!(
            json!(calls[0].payload),
            json!({"who": "Ada", "list": [1, 2]})
        );
        assert!(!calls[0].key.is_empty());
    }
}

#[tokio::test]
async fn the_arguments_of_the_step_are_passed_to_the_child() {
    let host = TestHost::new();
    host.write("child.yaml", &child());
    let body = "workflow:
- step: call
  args: {who: Grace}
  tool: {kind: playbook, path: child.yaml}
";
    let ran = host.run(body).await.completed();
    assert_eq!(ran.result("call"), json!({"bye": "Grace"}));
}

#[tokio::test]
async fn return_step_selects_the_step_whose_result_is_returned() {
    let host = TestHost::new();
    host.write("child.yaml", &child());
    for body in [
        "workflow:\n- step: call\n  tool: {kind: playbook, path: child.yaml, return_step: first, args: {who: x}}\n",
        "workflow:\n- step: call\n  tool: playbook\n  path: child.yaml\n  return_step: first\n  args: {who: x}\n",
    ] {
        let ran = host.run(body).await.completed();
        assert_eq!(ran.result("call")["hello"], "x");
    }
}

#[tokio::test]
async fn a_child_runs_once_for_each_item_with_its_own_key() {
    let host = TestHost::new();
    host.write("child.yaml", &child());
    let body = "workflow:
- step: each
  loop: {in: [a, b, c], iterator: name, mode: parallel}
  tool: {kind: playbook, path: child.yaml, args: {who: '{{ name }}'}}
";
    let ran = host.run(body).await.completed();
    assert_eq!(
        ran.result("each")["results"],
        json!([{"bye": "a"}, {"bye": "b"}, {"bye": "c"}])
    );
    let mut keys: Vec<_> = host
        .calls
        .lock()
        .unwrap()
        .iter()
        .map(|call| call.key.clone())
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn a_failure_of_the_child_fails_the_parent() {
    let host = TestHost::new();
    host.write(
        "child.yaml",
        &text("workflow: [{step: inner, tool: {kind: python, code: 'raise ValueError(7)'}}]"),
    );
    let body = "workflow: [{step: call, tool: {kind: playbook, path: child.yaml}, next: after}, {step: after, tool: {kind: noop}}]";
    let ran = host.run(body).await;
    let failed = ran.failed();
    assert!(
        failed.contains("child.yaml") && failed.contains("step `inner`"),
        "{failed}"
    );
    assert_eq!(ran.entered(), ["call"]);
    let gone = host
        .run("workflow: [{step: call, tool: {kind: playbook, path: gone.yaml}}]")
        .await;
    assert!(gone.failed().contains("step `call`"), "{}", gone.failed());
}

#[tokio::test]
async fn a_failure_of_the_child_can_be_handled() {
    let host = TestHost::new();
    host.write(
        "child.yaml",
        &text("workflow: [{step: inner, tool: {kind: python, code: 'raise ValueError(7)'}}]"),
    );
    let body = "workflow:
- step: call
  tool: {kind: playbook, path: child.yaml}
  case: [{when: \"{{ event.name == 'call.error' }}\", then: {next: [{step: mend, args: {why: '{{ error.message }}'}}]}}]
- {step: mend, tool: {kind: noop, args: {why: '{{ why }}'}}}
";
    let ran = host.run(body).await.completed();
    let why = ran.result("mend")["why"].to_string();
    assert!(why.contains("ValueError: 7"), "{why}");
}

#[tokio::test]
async fn the_child_cannot_use_the_variables_of_its_parent() {
    let host = TestHost::new();
    host.write(
        "child.yaml",
        &text(
            "workflow: [{step: a, tool: {kind: noop, args: {x: '{{ workload.only_parents }}'}}}]",
        ),
    );
    let body = "workload: {only_parents: 1}\nworkflow: [{step: call, tool: {kind: playbook, path: child.yaml}}]";
    assert!(host.run(body).await.failed().contains("only_parents"));
}
