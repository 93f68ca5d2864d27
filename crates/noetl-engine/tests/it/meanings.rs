//! Playbooks of others: what their authors mean comes out.

use serde_json::{Value, json};

use crate::harness::run;

/// Runs the steps and returns the result of the last one.
async fn result(body: &str) -> Value {
    run(body).await.completed().report.result
}

#[tokio::test]
async fn a_slice_has_its_items_wherever_it_stands() {
    let found = result(
        "workload: {items: [1, 2, 3, 4, 5], n: 2}\nworkflow:\n\
         - {step: start, loop: {in: \"{{ items[:3] }}\", iterator: i}, tool: {kind: noop, args: {i: \"{{ i }}\"}}, next: b}\n\
         - {step: b, tool: {kind: noop, args: {turns: \"{{ start.results | length }}\", cut: \"{{ workload['items'][n:] }}\", last: \"{{ items[-2:] }}\"}}}\n",
    )
    .await;
    assert_eq!(found, json!({"turns": 3, "cut": [3, 4, 5], "last": [4, 5]}));
}

#[tokio::test]
async fn a_tasks_set_is_rendered_after_its_call() {
    let found = result(
        "workflow:\n- step: start\n  tool:\n\
         \x20 - {name: fetch, kind: noop, args: {n: 5}, set: {fetched: \"{{ output.data.n }}\"}}\n\
         \x20 - {name: use, kind: noop, args: {n: \"{{ fetched + 1 }}\"}}\n  next: b\n\
         - {step: b, tool: {kind: noop, args: {n: \"{{ ctx.fetched }}\"}}}\n",
    )
    .await;
    assert_eq!(found, json!({"n": 5}));
}

#[tokio::test]
async fn a_result_with_status_and_data_has_the_names_of_its_data() {
    let found = result(
        "workflow:\n- {step: start, tool: {kind: noop, args: {status: success, data: {record_id: 7}}}, next: b}\n\
         - {step: b, tool: {kind: noop, args: {r: \"{{ start.record_id }}\", s: \"{{ start.status }}\", w: \"{{ start.data.record_id }}\"}}}\n",
    )
    .await;
    assert_eq!(found, json!({"r": 7, "s": "success", "w": 7}));
}

#[tokio::test]
async fn names_that_are_not_ascii_work() {
    let found = result(
        "workload: {\"ключ\": \"значение\"}\nworkflow:\n- {step: \"начало\", tool: {kind: noop, args: {t: \"{{ ключ }}\"}}, next: \"конец2\"}\n\
         - {step: \"конец2\", tool: {kind: noop, args: {t: \"{{ начало.t }}\", w: \"{{ workload.ключ }}\"}}}\n",
    )
    .await;
    assert_eq!(found, json!({"t": "значение", "w": "значение"}));
}

#[tokio::test]
async fn python_code_may_return_at_its_top_level() {
    for (code, expected) in [
        ("x = n * 2\\nreturn {'x': x}", json!({"x": 8})),
        (
            "n = n + 1\\nif n > 3:\\n    return n\\nresult = 0",
            json!(5),
        ),
        ("if n > 9:\\n    return 1\\nresult = 'end'", json!("end")),
        ("def f():\\n    return 3\\nresult = f()", json!(3)),
        (
            "import json\\ndef f(v):\\n    return json.dumps(v)\\nreturn f([n])",
            json!("[4]"),
        ),
    ] {
        let body = format!(
            "workflow:\n- {{step: start, tool: {{kind: python, input: {{n: 4}}, code: \"{code}\"}}}}\n"
        );
        assert_eq!(result(&body).await, expected, "{code}");
    }
}

#[tokio::test]
async fn libs_import_modules_below_modules() {
    let found = result(
        "workflow:\n- {step: start, tool: {kind: python, libs: {request: {from: urllib, import: request}, path: {from: os, import: path}}, \
         code: \"result = [request.__name__, path.basename('/a/b')]\"}}\n",
    )
    .await;
    assert_eq!(found, json!(["urllib.request", "b"]));
}

#[tokio::test]
async fn the_result_of_a_step_that_was_not_taken_is_undefined() {
    let found = result(
        "workflow:\n- {step: start, tool: {kind: noop}, next: {arcs: [{step: a, when: \"{{ false }}\"}, {step: m}]}}\n\
         - {step: a, tool: {kind: noop}, next: m}\n\
         - {step: m, tool: {kind: noop, args: {x: \"{{ a }}\", y: \"{{ a.z }}\", t: \"<{{ a.z }}>\", d: \"{{ a.z | default(4) }}\", \
         e: \"{{ a is defined }}\"}}}\n",
    )
    .await;
    let expected = json!({"x": null, "y": null, "t": "<>", "d": 4, "e": false});
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_response_of_http_has_its_body_in_python() {
    let found = result(
        "workload: {f: {status_code: 200, data: {a: 1}}}\nworkflow:\n- {step: start, tool: {kind: python, input: {r: \"{{ f }}\"}, \
         code: \"result = [r['body'], r['data'], r.get('other')]\"}}\n",
    )
    .await;
    assert_eq!(found, json!([{"a": 1}, {"a": 1}, null]));
}

#[tokio::test]
async fn a_condition_is_asked_after_a_failure_whatever_it_names() {
    let body = |tolerate: bool| {
        format!(
            "workload: {{tolerate: {tolerate}}}\nworkflow:\n\
             - {{step: start, tool: {{kind: shell, cmds: exit 3}}, next: {{arcs: [{{step: b, when: \"{{{{ workload.tolerate }}}}\"}}]}}}}\n\
             - {{step: b, tool: {{kind: noop, args: {{went: on}}}}}}\n"
        )
    };
    assert_eq!(result(&body(true)).await, json!({"went": true}));
    let ran = run(&body(false)).await;
    assert_eq!(ran.report.failure.unwrap().kind, "exit");
}
