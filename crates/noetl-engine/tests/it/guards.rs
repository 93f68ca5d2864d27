//! Conditions in every form: which are true, which are false, and which are errors.

use serde_json::{Value, json};

use crate::harness::{TestHost, problem_text, run};

/// Whether a step with this `when` runs.
async fn holds(when: &str) -> bool {
    let body = format!(
        "workload: {{env: prod, n: 3, text: '3', empty: '', nay: 'false', list: [a, b], nested: {{x: {{y: 1}}}}, flag: true, nothing: null, sentence: this and that}}
workflow:
- step: guarded
  when: {when}
  tool: {{kind: noop}}
"
    );
    let ran = run(&body).await.completed();
    match ran.entered()[..] {
        ["guarded"] => true,
        [] => {
            assert_eq!(ran.count("step.skipped"), 1, "{when}");
            false
        }
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn templates_with_the_comparison_inside() {
    for when in [
        "\"{{ workload.env == 'prod' }}\"",
        "\"{{workload.env=='prod'}}\"",
        "\"{{ env == 'prod' and n == 3 }}\"",
        "\"{{ env == 'prod' and n > 2 and n < 4 }}\"",
        "\"{{ env == 'dev' or n >= 3 }}\"",
        "\"{{ not (env == 'dev') }}\"",
        "\"{{ 'a' in list }}\"",
        "\"{{ list|length == 2 }}\"",
        "\"{{ text|int > 2 }}\"",
        "\"{{ nested.x.y == 1 }}\"",
        "\"{{ env in ['dev', 'prod'] }}\"",
        "\"{{ env is defined and missing is not defined }}\"",
        "'{{ flag }}'",
        "'{{ env }}'",
        "'{{ list }}'",
        "'{{ workload.get(\"env\") == \"prod\" }}'",
    ] {
        assert!(holds(when).await, "{when}");
    }
    for when in [
        "\"{{ env == 'prod' and n == 4 }}\"",
        "\"{{ n > 3 }}\"",
        "\"{{ n < 3 }}\"",
        "\"{{ env != 'prod' }}\"",
        "'{{ empty }}'",
        "'{{ nay }}'",
        "'{{ nothing }}'",
        "'{{ 0 }}'",
        "'{{ [] }}'",
        "\"{{ 'false' }}\"",
    ] {
        assert!(!holds(when).await, "{when}");
    }
}

#[tokio::test]
async fn templates_on_one_side_compare_words() {
    for when in [
        "'{{ workload.env }} == prod'",
        "'{{ workload.env }} == \"prod\"'",
        "\"{{ env }} == 'prod'\"",
        "'{{ env }} != dev'",
        "'{{ n }} == 3'",
        "'{{ env }} == {{ env }}'",
        "'{{ env }} == dev or {{ n }} == 3'",
        "'{{ env }} == prod and {{ n }} == 3'",
        "'{{ env }} in dev,prod'",
        "'{{ env }} not in dev,stage'",
        "'not {{ empty }}'",
        "'prod == {{ env }}'",
    ] {
        assert!(holds(when).await, "{when}");
    }
    for when in [
        "'{{ workload.env }} == dev'",
        "'{{ env }} != prod'",
        "'{{ env }} == prod and {{ n }} == 4'",
        "'{{ env }} == dev or {{ n }} == 4'",
        "'{{ empty }} == x'",
        "'not {{ env }}'",
    ] {
        assert!(!holds(when).await, "{when}");
    }
}

#[tokio::test]
async fn numbers_beside_a_template_are_ordered_as_numbers() {
    for (when, expected) in [
        ("'{{ n }} > 2'", true),
        ("'{{ n }} > 5'", false),
        ("'{{ n }} < 10'", true),
        ("'{{ n }} <= 2'", false),
        ("'{{ n }} >= 3 and {{ n }} < 4'", true),
        ("'{{ n }} > 5 or {{ n }} < 1'", false),
    ] {
        assert_eq!(holds(when).await, expected, "{when}");
    }
}

#[tokio::test]
async fn operators_inside_a_value_do_not_count() {
    for (when, expected) in [
        ("'{{ sentence }} == this'", false),
        ("\"{{ sentence }} == 'this and that'\"", true),
        ("'{{ sentence }} != x'", true),
    ] {
        assert_eq!(holds(when).await, expected, "{when}");
    }
}

#[tokio::test]
async fn expressions_without_braces_and_plain_values() {
    for when in [
        "workload.env == 'prod'",
        "env == 'prod' and n > 2",
        "'true'",
        "true",
        "'yes'",
        "1",
        "'1'",
        "flag",
    ] {
        assert!(holds(when).await, "{when}");
    }
    for when in ["false", "'false'", "'no'", "0", "env == 'dev'", "'none'"] {
        assert!(!holds(when).await, "{when}");
    }
}

#[tokio::test]
async fn a_missing_field_is_false() {
    for when in [
        "'{{ workload.absent }}'",
        "'{{ workload.absent.deeper }}'",
        "\"{{ nested.gone.further == 'x' }}\"",
        "'{{ workload.absent }} == x'",
        "workload.absent",
        "'{{ response.data.more }}'",
    ] {
        assert!(!holds(when).await, "{when}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_an_error_with_its_place() {
    for when in [
        "'{{ wrokload.env }}'",
        "\"{{ wrokload.env == 'prod' }}\"",
        "'{{ wrokload.env }} == prod'",
        "wrokload.env == 'prod'",
    ] {
        let body = format!(
            "workflow:\n- step: first\n  tool: {{kind: noop}}\n  next:\n  - step: second\n    when: {when}\n- {{step: second}}\n"
        );
        let failed = run(&body).await.failed();
        assert_eq!(
            failed, "test.yaml:9:11: step `first`, field `next[0].when`: unknown name `wrokload`",
            "{when}"
        );
        let reported = problem_text(&body);
        assert!(
            reported.contains("unknown name `wrokload`"),
            "{when}: {reported}"
        );
        assert!(
            reported.contains("test.yaml:9") && reported.contains("`next[0].when`"),
            "{reported}"
        );
    }
}

#[tokio::test]
async fn a_condition_that_does_not_parse_is_found_before_anything_runs() {
    for when in ["'{{ a == }}'", "a ==", "'{{ a | nofilter( }}'"] {
        let reported = problem_text(&format!("workflow:\n- step: first\n  when: {when}\n"));
        assert!(reported.contains("does not parse"), "{when}: {reported}");
        assert!(
            reported.contains("test.yaml:6") && reported.contains("step `first`"),
            "{reported}"
        );
    }
    let reported = problem_text("workflow:\n- step: first\n  when: [1]\n");
    assert!(
        reported.contains("a condition is a template, and this is a list"),
        "{reported}"
    );
}

#[tokio::test]
async fn the_first_admission_rule_that_holds_decides() {
    let body = "workload: {go: yes, n: 1}
workflow:
- step: guarded
  spec: {policy: {admit: {rules: [{when: '{{ n == 2 }}', then: {allow: false}}, {when: '{{ go }}', then: {allow: true}}, {else: {then: {allow: false}}}]}}}
  tool: {kind: noop}
  next: after
- {step: after, tool: {kind: noop}}
";
    for (payload, entered) in [
        (json!({}), &["guarded", "after"][..]),
        (json!({"n": 2}), &[]),
        (json!({"go": false}), &[]),
    ] {
        let ran = TestHost::new()
            .run_with(body, payload.clone(), None)
            .await
            .completed();
        assert_eq!(ran.entered(), entered, "{payload}");
        assert_eq!(ran.count("step.skipped"), usize::from(entered.is_empty()));
    }
}

#[tokio::test]
async fn values_of_a_payload_are_never_evaluated_in_conditions() {
    let body = "workload: {action: none}
workflow:
- step: first
  tool: {kind: noop}
  next:
  - {step: danger, when: '{{ workload.action }} == deploy'}
- {step: danger, tool: {kind: noop}}
";
    for action in [
        "x or true",
        "deploy or",
        "{{ 'deploy' }}",
        "x == x or 1",
        "' == '",
        "x == deploy",
    ] {
        let payload: Value = json!({ "action": action });
        let ran = TestHost::new()
            .run_with(body, payload, None)
            .await
            .completed();
        assert_eq!(ran.entered(), ["first"], "{action}");
    }
}

/// minijinja orders undefined before every number.
#[tokio::test]
async fn a_comparison_with_a_value_that_is_not_there_does_not_hold() {
    for (when, holds) in [
        ("{{ start.n <= 20 }}", false),
        ("start.n < 20", false),
        ("{{ start.n > 20 }}", false),
        ("{{ error.status < 500 }}", false),
        ("{{ not start.n }}", true),
        ("{{ start.n | default(1) < 5 }}", true),
        ("{{ start.n < 5 or workload.n < 5 }}", true),
        ("{{ workload.n <= 2 }}", true),
    ] {
        let body = format!(
            "workload: {{n: 2}}\nworkflow:\n- {{step: start, tool: {{kind: shell, cmds: exit 3}}, next: {{arcs: [{{step: b, when: \"{when}\"}}]}}}}\n\
             - {{step: b, tool: {{kind: noop}}}}\n"
        );
        let ran = crate::harness::run(&body).await;
        assert_eq!(ran.report.failure.is_none(), holds, "{when}");
    }
}
