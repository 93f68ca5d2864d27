//! Secrets: where they can be used, and where they must not appear.

use serde_json::json;

use crate::harness::{FinishedRun, TestHost, text};

/// Returns all events of an execution as text.
fn log(ran: &FinishedRun) -> String {
    serde_json::to_string(&ran.events).unwrap()
}

#[tokio::test]
async fn a_secret_can_be_used_by_the_next_step_and_is_not_stored() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = host
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
    assert_eq!(host.read("got"), ["t0p-s3cret"]);
    assert_eq!(ran.result("use"), json!({"***": 10, "context": "***"}));
    assert!(!log(&ran).contains("s3cret"), "{}", log(&ran));
    let lines = host.lines.lock().unwrap().join("\n");
    assert!(lines.contains("says ***"), "{lines}");
}

#[tokio::test]
async fn a_value_that_looks_like_a_reference_is_data() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = host
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
async fn a_secret_cannot_be_part_of_a_text_or_a_payload() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    host.write(
        "child.yaml",
        &text("workflow: [{step: a, tool: {kind: noop}}]\n"),
    );
    let steps = "workflow:
- step: start
  tool: {kind: secrets, name: api}
  next: [{step: use}]
- step: use
";
    let text = host
        .run(&format!(
            "{steps}  args: {{h: 'Bearer {{{{ start.value }}}}'}}\n  tool: {{kind: noop}}\n"
        ))
        .await;
    let text = text.failed();
    assert!(text.contains("outside a tool's own fields"), "{text}");
    let child = host
        .run(&format!("{steps}  tool: {{kind: playbook, path: child.yaml, args: {{t: '{{{{ start.value }}}}'}}}}\n"))
        .await;
    assert!(child.failed().contains("payload"), "{}", child.failed());
    assert!(!log(&child).contains("s3cret"));
    assert!(host.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_of_the_keychain_are_redacted_in_results_and_events() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    let body = "keychain: [{name: service, kind: credential, credential: api}]
workflow:
- step: only
  tool:
    kind: python
    code: |
      result = {'got': '{{ keychain.service.token }}', 'length': len('{{ keychain.service.token }}')}
";
    let ran = host.run(body).await.completed();
    assert_eq!(ran.result("only"), json!({"got": "***", "length": 10}));
    let log = serde_json::to_string(&ran.events).unwrap();
    assert!(!log.contains("s3cret"), "{log}");
    let failing = body.replace("result = ", "raise ValueError('t0p-s3cret'); result = ");
    let ran = host.run(&failing).await;
    let log = format!(
        "{} {}",
        ran.failed(),
        serde_json::to_string(&ran.events).unwrap()
    );
    assert!(!log.contains("s3cret"), "{log}");
    let templated = body.replace("credential: api}", "credential: '{{ workload.which }}'}");
    let templated = format!("workload: {{which: api}}\n{templated}");
    host.run(&templated).await.completed();
    let unknown = TestHost::new().run(body).await.failed();
    assert!(
        unknown.contains("there is no credential `api`"),
        "{unknown}"
    );
}

#[tokio::test]
async fn references_can_be_assigned_in_their_pipeline_and_not_joined_to_text() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "t0p-s3cret"}));
    let ran = host
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
        let ran = host
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
            ran.failed().contains("outside a tool's own fields"),
            "{text}: {}",
            ran.failed()
        );
        assert!(!log(&ran).contains("\"h\""), "{}", log(&ran));
    }
    let forged = host
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
        forged.failed().contains("only in the execution"),
        "{}",
        forged.failed()
    );
}

#[tokio::test]
async fn later_steps_do_not_show_a_secret_in_any_disguise() {
    let host = TestHost::new();
    host.credential("api", json!({"token": "Corr&ct-H0rse"}));
    let ran = host
        .run(
            "workflow:
- step: start
  tool: {kind: secrets, name: api}
  next: [{step: keep, args: {handed: '{{ start.value }}'}}]
- step: keep
  tool: {kind: shell, stdin: '{{ handed }}', cmd: 'cat > kept; echo done'}
  next: show
- step: show
  tool:
    kind: python
    code: |
      import base64, html, json, urllib.parse
      kept = open('kept').read()
      raw = kept.encode()
      result = [
        kept, kept.upper(), kept.lower(), kept[::-1], raw.hex(), raw.hex().upper(),
        base64.b64encode(raw).decode(), base64.b64encode(b'x' + raw).decode(),
        base64.b32encode(b'xy' + raw).decode(), urllib.parse.quote(kept), html.escape(kept), json.dumps(kept),
      ]
      print(*result, sep='\\n')
  next: echo
- step: echo
  tool: {kind: shell, cmd: 'cat kept; rev kept >&2; exit 3'}
",
        )
        .await;
    let shown = log(&ran) + &host.lines.lock().unwrap().join("\n");
    let show = ran.result("show");
    let results = show.as_array().unwrap();
    assert_eq!(results.len(), 12);
    for result in results {
        assert!(result.as_str().unwrap().contains("***"), "{result}");
    }
    for part in [
        "Corr", "CORR", "corr", "esr0H", "436f7272", "436F7272", "Q29yci", "H0rse",
    ] {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
}
