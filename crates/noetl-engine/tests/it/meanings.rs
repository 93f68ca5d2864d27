//! Playbooks of others: what their authors mean comes out.

use serde_json::{Value, json};

use crate::harness::{TestHost, problem_text, run};

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
async fn output_in_a_tasks_set_is_the_tasks_result() {
    for (args, set, expected) in [
        (
            "{status: success, data: {id: 7}}",
            "{{ output }}",
            json!({"status": "success", "data": {"id": 7}}),
        ),
        ("{n: 5}", "{{ output }}", json!({"n": 5})),
        ("{n: 5}", "{{ output.n }}", json!(5)),
        ("{n: 5}", "{{ output.status }}", json!("ok")),
        ("{data: {n: 5}}", "{{ output.data.n }}", json!(5)),
        ("{data: {n: 5}}", "{{ output.error is none }}", json!(true)),
        ("{n: [1, 2]}", "{{ output | length }}", json!(1)),
    ] {
        let body = format!(
            "workflow:\n- step: start\n  tool:\n\
             \x20 - {{name: a, kind: noop, args: {args}, set: {{kept: \"{set}\"}}}}\n\
             \x20 - {{name: b, kind: noop, args: {{kept: \"{{{{ kept }}}}\"}}}}\n"
        );
        assert_eq!(result(&body).await["kept"], expected, "{args} {set}");
    }
}

#[tokio::test]
async fn a_failed_task_that_a_rule_lets_pass_makes_its_assignments_too() {
    let found = result(
        "workflow:\n- step: start\n  tool:\n\
         \x20 - {name: a, kind: python, code: \"raise ValueError('no')\", set: {kept: \"{{ output }}\", n: \"{{ output.data.n }}\"}, \
         spec: {policy: {rules: [{when: \"{{ output.status == 'error' }}\", then: {do: continue}}, {else: {then: {do: continue}}}]}}}\n\
         \x20 - {name: b, kind: noop, args: {was: \"{{ kept.status }}\", why: \"{{ kept.error.message }}\", n: \"{{ n }}\"}}\n",
    )
    .await;
    let why = found["why"].as_str().unwrap_or_default();
    assert!(why.contains("ValueError: no"), "{found}");
    assert_eq!(found["was"], "error");
    assert_eq!(found["n"], Value::Null);
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

#[tokio::test]
async fn the_code_of_a_tool_may_stand_in_its_spec() {
    let found = result(
        "workflow:\n- {step: start, tool: {kind: python, spec: {code: \"result = 3\", timeout: 20}}}\n",
    )
    .await;
    assert_eq!(found, json!(3));
}

#[tokio::test]
async fn sql_may_stand_in_a_file() {
    let host = TestHost::new();
    host.write(
        "one.sql",
        "create table t (n int); insert into t values (4); select n from t",
    );
    let ran = host
        .run("workflow:\n- {step: start, tool: {kind: sqlite, database: \":memory:\", script: {uri: one.sql, source: {type: file}}}}\n")
        .await
        .completed();
    assert_eq!(ran.report.result["rows"], json!([{"n": 4}]));
    let missing = host
        .run("workflow:\n- {step: start, tool: {kind: sqlite, database: \":memory:\", script: {uri: two.sql}}}\n")
        .await;
    assert!(missing.failed().contains("two.sql"));
}

#[tokio::test]
async fn a_playbook_returns_the_result_of_the_step_that_is_named() {
    let host = TestHost::new();
    host.write(
        "child.yaml",
        &crate::harness::text("workflow:\n- {step: start, tool: {kind: noop, args: {n: 1}}, next: tail}\n- {step: tail, tool: {kind: noop, args: {n: 2}}}\n"),
    );
    for (fields, expected) in [
        ("result_step: start", json!({"n": 1})),
        ("return_step: start", json!({"n": 1})),
        ("return_result: true", json!({"n": 2})),
        ("return_result: false", json!({"status": "completed"})),
    ] {
        let ran = host
            .run(&format!("workflow:\n- {{step: start, tool: {{kind: playbook, path: child.yaml, {fields}}}}}\n"))
            .await
            .completed();
        assert_eq!(ran.report.result, expected, "{fields}");
    }
    let body = "workflow:\n- {step: start, tool: {kind: playbook, path: child.yaml, result_step: strat}}\n";
    let failed = host.run(body).await;
    assert!(failed.failed().contains("has no step `strat`"));
}

#[test]
fn a_tool_that_there_is_not_is_refused_in_one_form() {
    for (kind, help) in [
        ("nats", ""),
        ("shel", "did you mean `shell`?"),
        ("rhai", "write the step in python or shell"),
    ] {
        let found = problem_text(&format!(
            "workflow:\n- {{step: x, tool: {{kind: {kind}, name: a}}}}\n"
        ));
        let expected = format!(
            "step `x`: tool `{kind}` is not supported by this NoETL; supported are noop, shell, "
        );
        assert!(found.contains(&expected), "{found}");
        assert!(found.contains(help), "{found}");
    }
}

#[tokio::test]
async fn a_keychain_entry_of_any_kind_stands_for_the_stored_credential() {
    let host = TestHost::new();
    host.credential("stored", json!({"token": "abc"}));
    let body = "keychain: [{name: k, kind: oauth2, credential: stored, endpoint: \"https://example.com\"}]\nworkflow:\n\
                - {step: start, tool: {kind: python, args: {t: \"{{ keychain.k.token }}\"}, code: \"result = len(t)\"}}\n";
    assert_eq!(host.run(body).await.completed().report.result, json!(3));
    let found = problem_text(body);
    assert!(
        found.contains("stands for the stored credential `stored`"),
        "{found}"
    );
}

#[tokio::test]
async fn the_filters_and_functions_of_jinja_are_there() {
    for (template, expected) in [
        ("{{ 'a b&c' | urlencode }}", json!("a%20b%26c")),
        (
            "{{ {'a': 'x y', 'b': 2} | urlencode }}",
            json!("a=x%20y&b=2"),
        ),
        (
            "{{ 'hello wonderful world' | truncate(12) }}",
            json!("hello..."),
        ),
        (
            "{{ 'hello wonderful world' | truncate(9, true, '..', leeway=0) }}",
            json!("hello w.."),
        ),
        ("{{ 'hello' | truncate(length=9) }}", json!("hello")),
        ("[{{ 'ab' | center(7) }}]", json!("[   ab  ]")),
        ("{{ 'aaa bbb ccc' | wordwrap(4) }}", json!("aaa\nbbb\nccc")),
        (
            "{{ 'aaa bbb' | wordwrap(4, wrapstring='|') }}",
            json!("aaa|bbb"),
        ),
        ("{{ 'a b c' | wordcount }}", json!(3)),
        ("{{ '<b>x</b> y' | striptags }}", json!("x y")),
        ("{{ 1500 | filesizeformat }}", json!("1.5 kB")),
        ("{{ [7] | random }}", json!(7)),
        (
            "{{ {'a': [1]} | tojson(indent=2) }}.",
            json!("{\n  \"a\": [\n    1\n  ]\n}."),
        ),
        ("{{ [1] | tojson(4) }}.", json!("[\n    1\n].")),
        (
            "{{ now().year > 2000 and now().isoformat() is string and now().timestamp() > 5 }}",
            json!(true),
        ),
        ("{{ now().strftime('%Y') | length }}", json!(4)),
        ("{{ now() | string | length }}", json!(32)),
    ] {
        let tool = json!({"kind": "noop", "args": {"x": template}});
        let found = run(&format!("workflow:\n- {{step: start, tool: {tool}}}\n")).await;
        assert_eq!(found.completed().report.result["x"], expected, "{template}");
    }
}
