//! Keys and values that mean nothing: each is refused or warned about, with the nearest key.

use noetl_api::Severity;

use crate::harness::{problem_text, problems};

/// Asserts that validation finds this problem, and nothing else that is an error.
#[track_caller]
fn assert_problem(body: &str, message: &str, help: &str) {
    let found = problem_text(body);
    assert!(found.contains(message), "{body}\n{found}");
    assert!(found.contains(help), "{body}\n{found}");
}

const TOOL: &str = "tool: {kind: noop}";

#[test]
fn slips_of_the_pen_are_errors_that_name_the_nearest_key() {
    for (body, key, level, nearest) in [
        (format!("worklod: {{a: 1}}\nworkflow: [{{step: start, {TOOL}}}]"), "worklod", "a playbook", "workload"),
        ("workflow: [{step: start, tol: {kind: noop}}]".to_owned(), "tol", "a step", "tool"),
        (format!("workflow: [{{step: start, {TOOL}, nxt: b}}, {{step: b, {TOOL}}}]"), "nxt", "a step", "next"),
        (
            format!("workflow: [{{step: start, {TOOL}, next: {{arcs: [{{step: b, wen: \"{{{{ false }}}}\"}}]}}}}, {{step: b, {TOOL}}}]"),
            "wen",
            "an arc",
            "when",
        ),
        (format!("workflow: [{{step: start, {TOOL}, loop: {{in: [1], iteratr: i}}}}]"), "iteratr", "a loop", "iterator"),
        ("workflow: [{step: start, tool: {kind: http, url: 'http://a', metod: POST}}]".to_owned(), "metod", "a tool", "method"),
        (
            "workflow: [{step: start, tool: [{name: a, kind: noop, spec: {polcy: {rules: []}}}]}]".to_owned(),
            "polcy",
            "a spec",
            "policy",
        ),
        (
            "workflow: [{step: start, tool: [{name: a, kind: noop, spec: {policy: {rules: [{else: {then: {do: retry, atempts: 3}}}]}}}]}]"
                .to_owned(),
            "atempts",
            "a rule",
            "attempts",
        ),
    ] {
        let message = format!("`{key}` is no key of {level}");
        assert_problem(&body, &message, &format!("did you mean `{nearest}`?"));
        let errors = problems(&body).into_iter();
        assert!(errors.map(|it| it.severity).any(|it| it == Severity::Error), "{body}");
    }
}

#[test]
fn other_keys_are_warnings_and_own_ones_are_nothing() {
    let body = format!("workflow: [{{step: start, {TOOL}, colour: red}}]");
    assert_problem(&body, "`colour` is no key of a step", "begin with `x-`");
    let body = format!("colour: red\nworkflow: [{{step: start, {TOOL}}}]");
    assert_problem(&body, "`colour` is no key of a playbook", "begin with `x-`");
    let body = format!("schedule: daily\nworkflow: [{{step: start, {TOOL}, bind: x}}]");
    assert_problem(
        &body,
        "`schedule` has no meaning in a playbook here",
        "`bind` has no meaning in a step here",
    );
    let body = format!("x-team: data\nworkflow: [{{step: start, {TOOL}, x-colour: red}}]");
    assert_eq!(problem_text(&body), "");
}

#[test]
fn times_and_numbers_are_what_they_say_or_refused() {
    for value in ["soon", "'{{ workload.t }}'", "[1]", "-1", "1x", "true"] {
        for place in [
            format!("tool: {{kind: noop, timeout: {value}}}"),
            format!("tool: {{kind: noop, spec: {{timeout: {value}}}}}"),
            format!("tool: {{kind: noop}}, timeout_seconds: {value}"),
            format!("tool: {{kind: noop}}, spec: {{timeout: {value}}}"),
        ] {
            let body = format!("workload: {{t: 1}}\nworkflow: [{{step: start, {place}}}]");
            assert_problem(
                &body,
                "is no time",
                "write seconds, or a number with ms, s, m or h",
            );
        }
    }
    for value in ["1", "0.5", "'2'", "1s", "250ms", "5m", "1h", "'3600s'"] {
        let body = format!("workflow: [{{step: start, tool: {{kind: noop, timeout: {value}}}}}]");
        assert_eq!(problem_text(&body), "", "{value}");
    }
    let body = "workflow: [{step: start, tool: {kind: noop, retry: {max_attempts: three}}}]";
    assert_problem(body, "`max_attempts` is a string, not a number", "");
    let body = format!(
        "workflow: [{{step: start, {TOOL}, next: a}}, {{step: a, {TOOL}}}, {{step: a, {TOOL}}}]"
    );
    assert_problem(
        &body,
        "has a step of this name already",
        "give one of them another name",
    );
}

#[test]
fn a_parallel_loop_that_counts_in_a_variable_is_refused() {
    let body = |mode: &str, value: &str| {
        format!(
            "workflow:\n- step: start\n  loop: {{in: [1, 2], iterator: i, spec: {{mode: {mode}}}}}\n  tool:\n\
             \x20 - {{name: t, kind: noop, spec: {{policy: {{rules: [{{else: {{then: {{do: continue, set_ctx: {{n: \"{value}\"}}}}}}}}]}}}}}}\n"
        )
    };
    let count = "{{ (ctx.n | default(0)) + 1 }}";
    assert_problem(
        &body("parallel", count),
        "do not see each other's values",
        "write `mode: sequential`",
    );
    assert_eq!(problem_text(&body("sequential", count)), "");
    assert_eq!(problem_text(&body("parallel", "{{ i }}")), "");
}

#[test]
fn values_that_a_tool_cannot_use_are_refused_before_it_runs() {
    for (tool, message) in [
        (
            "{kind: transfer, source: {type: snowflake}, target: {type: file, path: o}}",
            "transfer source `snowflake` is not supported",
        ),
        (
            "{kind: transfer, source: {type: file, path: i}, target: {type: http}}",
            "transfer target `http` is not supported",
        ),
        (
            "{kind: transfer, source: {type: file, path: i}}",
            "needs `target` with a `type`",
        ),
        (
            "{kind: transfer, source: {path: i}, target: {type: file}}",
            "needs `source` with a `type`",
        ),
        (
            "{kind: python, code: x = 1, pool: maybe}",
            "`pool` is true or false",
        ),
    ] {
        assert_problem(
            &format!("workflow: [{{step: a, tool: {tool}}}]\n"),
            message,
            "help: ",
        );
    }
    let good = "workflow: [{step: a, tool: {kind: transfer, source: {type: PostgreSQL, query: x}, target: {type: \"{{ 'file' }}\"}}}]\n";
    assert_eq!(problem_text(good), "");
    let both = "workflow: [{step: a, loop: {in: [1], cursor: {kind: sqlite, claim: x}}, tool: {kind: noop}}]\n";
    assert_problem(both, "both `in` and `cursor`", "help: ");
}
