//! The workload: its defaults, their templates, and the payload over them.

use noetl_engine::execution::Machine;
use serde_json::{Value, json};

use crate::harness::{TestHost, object, playbook, run};

fn merged(workload: &str, payload: Value) -> Value {
    let body = format!("workload: {workload}\nworkflow: [{{step: a, tool: {{kind: noop}}}}]\n");
    let machine = Machine::new(playbook(&body), "42", &object(payload));
    Value::Object(machine.variables())
}

#[test]
fn a_payload_overrides_the_defaults_key_by_key() {
    let workload = "{a: 1, b: {c: 2, d: {e: 3}}, l: [1, 2]}";
    for (payload, expected) in [
        (
            json!({}),
            json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "l": [1, 2]}),
        ),
        (
            json!({"a": "x"}),
            json!({"a": "x", "b": {"c": 2, "d": {"e": 3}}, "l": [1, 2]}),
        ),
        (
            json!({"b": {"c": 9}}),
            json!({"a": 1, "b": {"c": 9, "d": {"e": 3}}, "l": [1, 2]}),
        ),
        (
            json!({"b": {"d": {"f": 4}}}),
            json!({"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "l": [1, 2]}),
        ),
        (json!({"b": 5, "l": []}), json!({"a": 1, "b": 5, "l": []})),
        (
            json!({"b.d.e": 7}),
            json!({"a": 1, "b": {"c": 2, "d": {"e": 7}}, "l": [1, 2]}),
        ),
        (
            json!({"a.x.y": 7}),
            json!({"a": {"x": {"y": 7}}, "b": {"c": 2, "d": {"e": 3}}, "l": [1, 2]}),
        ),
        (
            json!({"new": null}),
            json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "l": [1, 2], "new": null}),
        ),
    ] {
        assert_eq!(merged(workload, payload.clone()), expected, "{payload}");
    }
    assert_eq!(merged("{}", json!({"x.y": 1})), json!({"x": {"y": 1}}));
}

#[test]
fn templates_of_the_defaults_are_evaluated() {
    let evaluated = merged(
        "{run: '{{ execution_id }}', who: '{{ payload.user | default(\"nobody\") }}', base: /srv, path: '{{ workload.base }}/x', n: '{{ 1 + 1 }}'}",
        json!({"user": "ada"}),
    );
    assert_eq!(evaluated["run"], "42");
    assert_eq!(evaluated["who"], "ada");
    assert_eq!(evaluated["path"], "/srv/x");
    assert_eq!(evaluated["n"], 2);
    assert_eq!(merged("{a: '{{ a | default(5) }}'}", json!({}))["a"], 5);
    assert_eq!(
        merged("{a: '{{ a | default(5) }}'}", json!({"a": 6}))["a"],
        6
    );
}

#[tokio::test]
async fn values_of_a_payload_are_never_templates() {
    let ran = TestHost::new()
        .run_with(
            "workload: {word: x, secret: hidden}\nworkflow: [{step: a, tool: {kind: noop, args: {got: '{{ workload.word }}', text: '{{ word }}!'}}}]\n",
            json!({"word": "{{ workload.secret }}"}),
            None,
        )
        .await
        .completed();
    assert_eq!(
        ran.result("a"),
        json!({"got": "{{ workload.secret }}", "text": "{{ workload.secret }}!"})
    );
}

#[tokio::test]
async fn a_default_without_a_value_is_named_in_the_failure() {
    let body = "workload: {token: '{{ payload.token }}'}\nworkflow: [{step: a, tool: {kind: noop, args: {t: '{{ workload.token }}'}}}]\n";
    let failed = run(body).await.failed();
    assert!(failed.contains("workload.token"), "{failed}");
    let ran = TestHost::new()
        .run_with(body, json!({"token": "t"}), None)
        .await
        .completed();
    assert_eq!(ran.result("a")["t"], "t");
}

/// A key with very many dots must not create nested values whose printing or dropping overflows the stack.
#[test]
fn a_key_of_very_many_dots_is_one_name() {
    let key = "a.".repeat(100_000) + "a";
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let joined = thread
        .spawn(move || {
            let merged = merged("{}", json!({ key: 1 }));
            serde_json::to_string(&merged).unwrap().len()
        })
        .unwrap()
        .join();
    assert!(joined.is_ok());
}

#[test]
fn values_given_as_text_take_the_type_of_their_default() {
    let playbook = playbook(
        "workload: {deploy: 'false', tag: latest, n: 1, deep: {a: x, b: 2}, t: '{{ 1 }}', flag: true}\nworkflow: [{step: a}]\n",
    );
    for (key, value, expected) in [
        ("deploy", "true", json!("true")),
        ("tag", "1.10", json!("1.10")),
        ("tag", "null", json!("null")),
        ("workload.tag", "7", json!("7")),
        ("n", "1.10", json!(1.1)),
        ("n", "many", json!("many")),
        ("deep.a", "5", json!("5")),
        ("deep.b", "5", json!(5)),
        ("t", "5", json!(5)),
        ("flag", "false", json!(false)),
        ("new", "5", json!(5)),
        ("new", "1.10", json!("1.10")),
        ("new", "00012", json!("00012")),
        (
            "new",
            "123456789012345678901234567890",
            json!("123456789012345678901234567890"),
        ),
        ("new", "[1, 2]", json!([1, 2])),
        ("new", "x=y", json!("x=y")),
        ("new", "", json!("")),
    ] {
        let mut input = serde_json::Map::new();
        playbook.assign(&mut input, key, value);
        assert_eq!(input[key], expected, "{key}={value}");
    }
}

#[test]
fn a_payload_may_name_the_workload() {
    let expected = json!({"repo": "x", "deep": {"a": 1, "b": 3}});
    for payload in [
        json!({"repo": "x", "deep": {"b": 3}}),
        json!({"workload.repo": "x", "workload.deep.b": 3}),
        json!({"workload": {"repo": "x", "deep": {"b": 3}}}),
    ] {
        let found = merged("{repo: default, deep: {a: 1, b: 2}}", payload.clone());
        assert_eq!(found, expected, "{payload}");
    }
    // A workload that has the key itself keeps it.
    let found = merged("{workload: {a: 1}}", json!({"workload": {"a": 2}}));
    assert_eq!(found, json!({"workload": {"a": 2}}));
}
