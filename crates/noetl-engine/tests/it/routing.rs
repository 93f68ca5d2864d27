//! `next` in each of its forms: the steps that follow a step.

use crate::harness::run;

const STEPS: &str = "- {step: a, tool: {kind: noop}}
- {step: b, tool: {kind: noop}}
- {step: c, tool: {kind: noop}}
- {step: end, tool: {kind: noop}}
";

/// Returns the steps that are entered after a first one with this `next`.
async fn after(next: &str) -> Vec<String> {
    let body = format!(
        "workload: {{n: 5}}\nworkflow:\n- step: first\n  tool: {{kind: noop}}\n  {next}\n{STEPS}"
    );
    let ran = run(&body).await.completed();
    ran.entered()[1..]
        .iter()
        .map(|step| (*step).to_owned())
        .collect()
}

#[tokio::test]
async fn exclusive_takes_the_first_edge_that_holds() {
    for next in [
        "next: {spec: {mode: exclusive}, arcs: [{step: a, when: '{{ n > 9 }}'}, {step: b, when: '{{ n > 4 }}'}, {step: c}]}",
        "next: {arcs: [{step: a, when: '{{ n > 9 }}'}, {step: b, when: '{{ n > 4 }}'}, {step: c, when: '{{ n > 3 }}'}]}",
        "next: [{step: a, when: '{{ n > 9 }}'}, {step: b, when: '{{ n > 4 }}'}, {step: c}]",
        "next: [{when: '{{ n > 9 }}', then: [{step: a}]}, {when: '{{ n > 4 }}', then: [{step: b}]}, {else: [{step: c}]}]",
        "next: [{when: '{{ n > 9 }}', next: [{step: a}]}, {when: '{{ n > 4 }}', next: b}, {next: c}]",
        "next: [{when: '{{ n > 9 }}', then: a, else: b}]",
        "next: [{step: a, when: 'n > 9'}, {step: b, when: workload.n == 5}, {step: c}]",
    ] {
        assert_eq!(after(next).await, ["b"], "{next}");
    }
}

#[tokio::test]
async fn a_router_without_conditions_takes_the_first_edge() {
    assert_eq!(after("next: {arcs: [{step: a}, {step: b}]}").await, ["a"]);
}

#[tokio::test]
async fn inclusive_takes_all_edges_that_hold() {
    for next in [
        "next: {spec: {mode: inclusive}, arcs: [{step: a, when: '{{ n > 4 }}'}, {step: b, when: '{{ n > 9 }}'}, {step: c}]}",
        "spec: {next_mode: inclusive}\n  next: [{step: a, when: '{{ n > 4 }}'}, {step: b, when: '{{ n > 9 }}'}, {step: c}]",
    ] {
        assert_eq!(after(next).await, ["a", "c"], "{next}");
    }
}

#[tokio::test]
async fn a_plain_list_goes_to_all_of_its_steps() {
    assert_eq!(after("next: [a, b]").await, ["a", "b"]);
    assert_eq!(after("next: [{step: a}, {step: c}]").await, ["a", "c"]);
    assert_eq!(after("next: [{step: a}, b]").await, ["a", "b"]);
    assert_eq!(after("next: b").await, ["b"]);
    assert_eq!(after("next: {step: b}").await, ["b"]);
    assert_eq!(
        after("next: [{next: [{step: a}]}, {next: [{step: b}]}]").await,
        ["a", "b"]
    );
    assert_eq!(after("next: end").await, ["end"]);
    assert_eq!(after("next: []").await, [""; 0]);
}

#[tokio::test]
async fn a_branch_ends_when_no_edge_holds() {
    let none = "next: [{step: a, when: '{{ n > 9 }}'}]";
    assert_eq!(after(none).await, [""; 0]);
}

#[tokio::test]
async fn no_next_is_error_fails_a_branch_without_an_edge_that_holds() {
    let body = |next: &str| {
        format!(
            "executor: {{spec: {{no_next_is_error: true}}}}\nworkflow:\n- step: first\n  tool: {{kind: noop}}\n  {next}\n- {{step: a, tool: {{kind: noop}}}}\n"
        )
    };
    let failed = run(&body("next: [{step: a, when: '{{ 1 > 9 }}'}]"))
        .await
        .failed();
    assert_eq!(
        failed,
        "test.yaml:6:3: step `first`: no arc of step `first` holds"
    );
    run(&body("next: [{step: a, when: '{{ 1 < 9 }}'}]"))
        .await
        .completed();
    run(&body("desc: the last one")).await.completed();
}

#[tokio::test]
async fn conditions_of_edges_hold_for_each_name_of_the_event() {
    for name in ["call.done", "step.exit", "step.done"] {
        let next =
            format!("next: {{arcs: [{{step: a, when: \"{{{{ event.name == '{name}' }}}}\"}}]}}");
        assert_eq!(after(&next).await, ["a"], "{name}");
    }
    for name in ["call.error", "step.failed", "loop.done"] {
        let next =
            format!("next: {{arcs: [{{step: a, when: \"{{{{ event.name == '{name}' }}}}\"}}]}}");
        assert_eq!(after(&next).await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_failure_takes_only_edges_with_a_condition_on_it() {
    let body = |next: &str| {
        format!(
            "workflow:\n- step: first\n  tool: {{kind: python, code: 'raise ValueError(1)'}}\n  {next}\n{STEPS}"
        )
    };
    for next in [
        "next: {arcs: [{step: a, when: \"{{ outcome.status == 'ok' }}\"}, {step: b, when: \"{{ outcome.status == 'error' }}\"}]}",
        "next: {arcs: [{step: a, when: \"{{ event.name == 'call.done' }}\"}, {step: b, when: \"{{ event.name == 'call.error' }}\"}]}",
        "next: [{step: a, when: \"{{ event.name == 'step.done' }}\"}, {step: b, when: \"{{ event.name == 'step.failed' }}\"}]",
        "case: [{when: \"{{ event.name == 'call.error' }}\", then: {next: [{step: b}]}}]\n  next: a",
        "case: [{when: '{{ error is not none }}', then: [{next: b}]}]\n  next: a",
    ] {
        let ran = run(&body(next)).await.completed();
        assert_eq!(ran.entered(), ["first", "b"], "{next}");
    }
    let failed = run(&body("next: a")).await;
    assert!(
        failed.failed().contains("step `first`"),
        "{}",
        failed.failed()
    );
    assert_eq!(failed.entered(), ["first"]);
}

#[tokio::test]
async fn a_case_rule_counts_before_next() {
    let case = "case: [{when: '{{ response.n == 1 }}', then: {next: [{step: a}]}}, {when: 'true', then: {next: [{step: b}]}}]\n  next: c";
    assert_eq!(after(case).await, ["b"]);
    let other = "case: [{when: '{{ n == 5 }}', then: {next: a}, else: {next: b}}]";
    assert_eq!(after(other).await, ["a"]);
    let last = "case: [{when: '{{ n == 6 }}', then: {next: a}}, {else: {next: b}}]";
    assert_eq!(after(last).await, ["b"]);
    let silent = "case: [{when: '{{ n == 6 }}', then: {next: a}}]\n  next: c";
    assert_eq!(after(silent).await, ["c"]);
}

#[tokio::test]
async fn call_runs_a_step_in_addition_to_next() {
    let ran = run("workflow:
- step: first
  tool: {kind: noop}
  case: [{when: 'true', then: [{call: {step: beside, args: {n: 3}}}, {next: main}]}]
- {step: beside, tool: {kind: noop, args: {m: '{{ n }}'}}}
- {step: main, tool: {kind: noop}}
")
    .await
    .completed();
    let mut entered = ran.entered();
    entered.sort_unstable();
    assert_eq!(entered, ["beside", "first", "main"]);
    assert_eq!(ran.result("beside")["m"], 3);
}

#[tokio::test]
async fn arguments_of_edges_keep_their_types_and_use_the_assignments() {
    let ran = run("workload: {list: [1, 2]}
workflow:
- step: first
  tool: {kind: noop}
  next: {arcs: [{step: a, set: {ctx.k: 9}, args: {list: '{{ workload.list }}', k: '{{ ctx.k }}', deep: {x: ['{{ list[0] }}']}}}]}
- step: a
  tool: {kind: noop, args: {got: '{{ args }}'}}
")
    .await
    .completed();
    let got = &ran.result("a")["got"];
    assert_eq!(got["list"], serde_json::json!([1, 2]));
    assert_eq!(got["k"], 9);
    assert_eq!(got["deep"], serde_json::json!({"x": [1]}));
}
