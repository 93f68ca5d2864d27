//! Secrets: where they serve, and where they must not be seen.

use serde_json::json;

use crate::stage::{Ran, Stage, text};

/// The text of everything that an execution leaves behind.
fn log(ran: &Ran) -> String {
    serde_json::to_string(&ran.events).unwrap()
}

#[tokio::test]
async fn a_secret_of_one_step_serves_the_next_and_is_kept_nowhere() {
    let stage = Stage::new();
    stage.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = stage
        .run(
            "workflow:
- step: start
  tool: {kind: secrets, name: api}
  next: [{step: use, args: {handed: '{{ start.value }}'}}]
- step: use
  tool:
  - kind: shell
    cmd: 'echo {{ start.value }} > got; echo says {{ handed }}'
  - kind: python
    args: {kept: '{{ start.data.token }}'}
    code: |
      result = {kept: len(kept), 'context': context['start']['value']}
",
        )
        .await
        .completed();
    assert_eq!(stage.read("got"), ["t0p-s3cret"]);
    assert_eq!(ran.result("use"), json!({"***": 10, "context": "***"}));
    assert!(!log(&ran).contains("s3cret"), "{}", log(&ran));
    let lines = stage.lines.lock().unwrap().join("\n");
    assert!(lines.contains("says ***"), "{lines}");
}

#[tokio::test]
async fn what_only_looks_like_a_reference_is_data() {
    let stage = Stage::new();
    stage.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = stage
        .run(
            "workflow:
- step: start
  tool:
    kind: python
    code: \"result = {'x': {'$secret': {'credential': 'api', 'field': 'token'}}}\"
  next: read
- step: read
  tool: {kind: secrets, name: api}
  next: use
- step: use
  tool: {kind: python, args: {given: '{{ start.x }}'}, code: 'result = given'}
",
        )
        .await
        .completed();
    let forged = json!({"$secret": {"credential": "api", "field": "token"}});
    assert_eq!(ran.result("use"), forged);
}

#[tokio::test]
async fn a_secret_is_no_text_outside_a_tool_and_no_payload() {
    let stage = Stage::new();
    stage.credential("api", json!({"token": "t0p-s3cret"}));
    stage.write(
        "child.yaml",
        &text("workflow: [{step: a, tool: {kind: noop}}]\n"),
    );
    let steps = "workflow:
- step: start
  tool: {kind: secrets, name: api}
  next: [{step: use}]
- step: use
";
    let text = stage
        .run(&format!(
            "{steps}  args: {{h: 'Bearer {{{{ start.value }}}}'}}\n  tool: {{kind: noop}}\n"
        ))
        .await;
    let text = text.failed();
    assert!(
        text.contains("known only to the fields of a tool"),
        "{text}"
    );
    let child = stage
        .run(&format!("{steps}  tool: {{kind: playbook, path: child.yaml, args: {{t: '{{{{ start.value }}}}'}}}}\n"))
        .await;
    assert!(child.failed().contains("payload"), "{}", child.failed());
    assert!(!log(&child).contains("s3cret"));
    assert!(stage.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_of_the_keychain_stay_out_of_results_and_events() {
    let stage = Stage::new();
    stage.credential("api", json!({"token": "t0p-s3cret"}));
    let body = "keychain: [{name: service, kind: credential, credential: api}]
workflow:
- step: only
  tool:
    kind: python
    code: |
      result = {'got': '{{ keychain.service.token }}', 'length': len('{{ keychain.service.token }}')}
";
    let ran = stage.run(body).await.completed();
    assert_eq!(ran.result("only"), json!({"got": "***", "length": 10}));
    let log = serde_json::to_string(&ran.events).unwrap();
    assert!(!log.contains("s3cret"), "{log}");
    let failing = body.replace("result = ", "raise ValueError('t0p-s3cret'); result = ");
    let ran = stage.run(&failing).await;
    let log = format!(
        "{} {}",
        ran.failed(),
        serde_json::to_string(&ran.events).unwrap()
    );
    assert!(!log.contains("s3cret"), "{log}");
    let templated = body.replace("credential: api}", "credential: '{{ workload.which }}'}");
    let templated = format!("workload: {{which: api}}\n{templated}");
    stage.run(&templated).await.completed();
    let unknown = Stage::new().run(body).await.failed();
    assert!(
        unknown.contains("there is no credential `api`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn references_serve_the_pipeline_that_set_them_and_become_no_text_by_an_operator() {
    let stage = Stage::new();
    stage.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = stage
        .run(
            "workflow:
- step: start
  tool:
  - read:
      kind: secrets
      name: api
      spec: {policy: {rules: [{else: {then: {do: continue, set_ctx: {tok: '{{ result.value }}'}}}}]}}
  - use: {kind: shell, cmd: 'echo {{ ctx.tok }} > got'}
",
        )
        .await
        .completed();
    assert!(!log(&ran).contains("s3cret"), "{}", log(&ran));
    for text in [
        "'Bearer ' ~ start.value",
        "start.value | string",
        "[start.value] | join('-')",
    ] {
        let ran = stage
            .run(&format!(
                "workflow:
- step: start
  tool: {{kind: secrets, name: api}}
  next: [{{step: use, args: {{h: \"{{{{ {text} }}}}\"}}}}]
- step: use
  tool: {{kind: noop}}
"
            ))
            .await;
        assert!(
            ran.failed().contains("known only to the fields"),
            "{text}: {}",
            ran.failed()
        );
        assert!(!log(&ran).contains("\"h\""), "{}", log(&ran));
    }
    let forged = stage
        .run(
            "workflow:
- step: start
  tool:
    kind: python
    code: \"result = {'x': {'$secret': {'credential': 'api', 'field': 'token', 'seal': '0'}}}\"
  next: use
- step: use
  tool: {kind: shell, cmd: 'echo {{ start.x }}'}
",
        )
        .await;
    assert!(
        forged.failed().contains("serves only the execution"),
        "{}",
        forged.failed()
    );
}
