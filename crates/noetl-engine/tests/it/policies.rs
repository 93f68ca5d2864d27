//! Policy rules: the action after the outcome of each task of a pipeline.

use serde_json::json;

use crate::harness::{TestHost, problem_text, run};

/// Returns a playbook with a pipeline of three tasks, the first of which has these rules.
fn pipeline(tool: &str, rules: &str) -> String {
    format!(
        "workflow:
- step: only
  tool:
  - name: one
    {tool}
    spec: {{policy: {{rules: [{rules}]}}}}
  - {{name: two, kind: noop, args: {{n: 2}}}}
  - {{name: three, kind: noop, args: {{n: 3, kept: '{{{{ ctx.kept | default(\"none\") }}}}'}}}}
"
    )
}

const FINE: &str = "kind: noop\n    args: {n: 1}";
const BROKEN: &str = "kind: python\n    code: raise ValueError('broke')";

#[tokio::test]
async fn the_action_of_the_rule_that_holds_is_done() {
    for (tool, rules, expected) in [
        (
            FINE,
            "{when: 'true', then: {do: continue}}",
            json!({"n": 3, "kept": "none"}),
        ),
        (FINE, "{when: 'true', then: {do: break}}", json!({"n": 1})),
        (
            FINE,
            "{when: 'true', then: {do: jump, to: three}}",
            json!({"n": 3, "kept": "none"}),
        ),
        (
            FINE,
            "{when: '{{ outcome.result.n == 9 }}', then: {do: break}}, {else: {then: {do: jump, to: three}}}",
            json!({"n": 3, "kept": "none"}),
        ),
        (
            FINE,
            "{when: '{{ outcome.result.n == 9 }}', then: {do: break}}, {else: {do: break}}",
            json!({"n": 1}),
        ),
        (
            FINE,
            "{else: {then: {do: continue, set_ctx: {kept: '{{ outcome.result.n }}'}}}}",
            json!({"n": 3, "kept": 1}),
        ),
        (
            FINE,
            "{else: {then: {do: continue, set: {ctx.kept: '{{ output.data.n }}'}}}}",
            json!({"n": 3, "kept": 1}),
        ),
        (
            BROKEN,
            "{when: \"{{ outcome.status == 'error' }}\", then: {do: continue}}",
            json!({"n": 3, "kept": "none"}),
        ),
        (
            BROKEN,
            "{when: \"{{ outcome.error.kind == 'python' }}\", then: {do: jump, to: three, set_ctx: {kept: '{{ outcome.error.message }}'}}}",
            json!({"n": 3, "kept": "ValueError: broke (line 1 of the step's code)"}),
        ),
        (
            BROKEN,
            "{when: \"{{ outcome.py.exception_type == 'ValueError' }}\", then: {do: break}}",
            json!(null),
        ),
    ] {
        let ran = run(&pipeline(tool, rules)).await.completed();
        assert_eq!(ran.result("only"), expected, "{rules}");
    }
}

#[tokio::test]
async fn a_rule_can_fail_the_step() {
    for (tool, rules, line, expected) in [
        (
            FINE,
            "{when: '{{ outcome.result.n == 1 }}', then: {do: fail}}",
            7,
            "a rule of task `one` ended the step as a failure",
        ),
        (
            BROKEN,
            "{when: \"{{ outcome.status == 'error' }}\", then: {do: fail}}",
            9,
            "ValueError: broke",
        ),
        (
            BROKEN,
            "{when: \"{{ outcome.status == 'error' }}\", then: {do: retry, attempts: 2, delay: 0}}",
            9,
            "ValueError: broke",
        ),
    ] {
        let failed = run(&pipeline(tool, rules)).await.failed();
        assert!(failed.contains(expected), "{rules}: {failed}");
        assert!(
            failed.starts_with(&format!("test.yaml:{line}:")) && failed.contains("step `only`"),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_failure_ends_the_pipeline_only_without_rules() {
    let body = "workflow:\n- step: only\n  tool:\n  - {name: one, kind: python, code: 'raise ValueError(1)'}\n  - {name: two, kind: noop}\n";
    assert!(run(body).await.failed().contains("ValueError"));
    let silent = pipeline(
        BROKEN,
        "{when: \"{{ outcome.status == 'ok' }}\", then: {do: break}}",
    );
    assert_eq!(run(&silent).await.completed().result("only")["n"], 3);
}

#[tokio::test]
async fn jumps_are_limited() {
    let body = "workflow:
- step: only
  tool:
  - name: count
    kind: noop
    args: {n: '{{ (ctx.n | default(0)) + 1 }}'}
    spec: {policy: {rules: [{else: {then: {do: continue, set_ctx: {n: '{{ outcome.result.n }}'}}}}]}}
  - name: again
    kind: noop
    spec: {policy: {rules: [{when: '{{ ctx.n < BOUND }}', then: {do: jump, to: count}}, {else: {then: {do: break}}}]}}
";
    let ran = run(&body.replace("BOUND", "5")).await.completed();
    assert_eq!(ran.variable("n"), 5);
    let failed = run(&body.replace("BOUND", "100000000")).await.failed();
    assert!(
        failed.contains("jumped") && failed.contains("without an end"),
        "{failed}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_retry_repeats_its_task_alone() {
    let host = TestHost::new();
    let body = "workflow:
- step: only
  tool:
  - {name: one, kind: shell, cmds: 'echo x >> one'}
  - name: two
    kind: shell
    cmds: 'echo x >> two; test $(wc -l < two) -ge 3'
    spec: {policy: {rules: [{when: \"{{ outcome.status == 'error' and _attempt < 5 }}\", then: {do: retry, attempts: 5, delay: 0, backoff: exponential}}, {when: \"{{ outcome.status == 'error' }}\", then: {do: fail}}]}}
  - {name: three, kind: noop, args: {task: '{{ _task }}', attempt: '{{ _attempt }}'}}
";
    let ran = host.run(body).await.completed();
    assert_eq!((host.read("one").len(), host.read("two").len()), (1, 3));
    assert_eq!(ran.result("only"), json!({"task": "three", "attempt": 1}));
}

#[test]
fn invalid_rules_are_found_by_validation() {
    for (rules, expected) in [
        (
            "{when: 'true', then: {do: jump, to: nowhere}}",
            "a rule jumps to `nowhere`, which is not a task of this pipeline",
        ),
        ("{when: 'true', then: {do: jump}}", "`do: jump` has no `to`"),
        (
            "{when: 'true', then: {do: explode}}",
            "`do: explode` is none of",
        ),
        (
            "{when: '{{ outcome. }}', then: {do: break}}",
            "does not parse",
        ),
    ] {
        let reported = problem_text(&pipeline(FINE, rules));
        assert!(
            reported.contains(expected) && reported.contains("step `only`"),
            "{rules}: {reported}"
        );
    }
    let twice = problem_text(
        "workflow:\n- step: only\n  tool: [{name: a, kind: noop}, {name: a, kind: noop}]\n",
    );
    assert!(
        twice.contains("two tasks of this pipeline are called `a`"),
        "{twice}"
    );
}

#[tokio::test]
async fn a_result_with_status_error_is_a_failure() {
    let failed = run("workflow:\n- step: only\n  tool: {kind: python, code: \"result = {'status': 'error', 'message': 'no luck'}\"}\n").await;
    assert!(failed.failed().ends_with("no luck"), "{}", failed.failed());
}
