//! Validation: all problems at once, each with its place and help.

use noetl_engine::{Playbook, Severity};
use serde_json::Map;

use crate::harness::{problem_text, problems, text};

#[test]
fn problems_are_reported_together_in_the_order_of_the_file() {
    let found = problems(
        "workflow:
- step: first
  tool: {kind: shell}
  next: nowhere
- step: second
  tool: {kind: kafka}
- step: third
  when: '{{ a == }}'
  tool: {kind: gcs}
- tool: {kind: noop}
",
    );
    let text: Vec<_> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "test.yaml:6:9: step `first`, field `tool.cmds`: the shell tool has no `cmds`",
        "test.yaml:7:9: step `first`, field `next`: there is no step `nowhere`",
        "test.yaml:8:3: step `second`: no step leads here",
        "test.yaml:9:16: step `second`: tool `kafka` is not supported by this NoETL; supported are noop, ",
        "test.yaml:10:3: step `third`: no step leads here",
        "test.yaml:11: step `third`, field `when`: the template does not parse",
        "test.yaml:12:16: step `third`: tool `gcs` is not supported by this NoETL; supported are noop, ",
        "test.yaml:13:3: field `workflow[3]`: the step has no name",
    ];
    assert_eq!(text.len(), expected.len(), "{text:#?}");
    for (text, expected) in text.iter().zip(expected) {
        assert!(text.starts_with(expected), "{text}\n{expected}");
    }
}

#[test]
fn an_unknown_target_is_reported_with_the_most_similar_step() {
    for (next, expected) in [
        (
            "next: proces",
            "there is no step `proces` (help: did you mean `process`?)",
        ),
        ("next: [{step: procces}]", "did you mean `process`?"),
        (
            "case: [{when: 'true', then: {next: [{step: prozess}]}}]",
            "did you mean `process`?",
        ),
        ("next: {arcs: [{step: Process}]}", "did you mean `process`?"),
    ] {
        let reported = problem_text(&format!(
            "workflow:\n- step: a\n  {next}\n- {{step: process}}\n"
        ));
        assert!(reported.contains(expected), "{next}: {reported}");
    }
    let far = problem_text("workflow: [{step: a, next: zzzzzz}, {step: process}]");
    assert!(
        far.contains("there is no step `zzzzzz`") && !far.contains("did you mean"),
        "{far}"
    );
    for key in ["entry_step", "final_step"] {
        let reported = problem_text(&format!(
            "executor: {{spec: {{{key}: gone}}}}\nworkflow: [{{step: a}}]\n"
        ));
        assert!(
            reported.contains(&format!("executor.spec.{key}")) && reported.contains("`gone`"),
            "{reported}"
        );
    }
}

#[test]
fn steps_that_cannot_be_reached_are_warnings() {
    let found = problems(
        "workflow:\n- {step: a, next: b}\n- {step: b}\n- {step: lonely, next: lonelier}\n- {step: lonelier}\n- {step: end}\n",
    );
    let text: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "test.yaml:7:3: step `lonely`: no step leads here",
            "test.yaml:8:3: step `lonelier`: no step leads here",
        ]
    );
    assert!(
        found
            .iter()
            .all(|problem| problem.severity == Severity::Warning)
    );
    assert!(
        problems("executor: {spec: {final_step: b}}\nworkflow: [{step: a}, {step: b}]").is_empty()
    );
}

#[test]
fn kinds_that_need_a_service_are_errors() {
    for kind in [
        "snowflake",
        "nats",
        "gcs",
        "container",
        "rhai",
        "ducklake",
        "gateway",
        "iterator",
        "playbooks",
        "artifact",
        "script",
        "auth",
    ] {
        let reported = problem_text(&format!(
            "workflow: [{{step: a, tool: {{kind: {kind}}}}}]\n"
        ));
        assert!(
            reported.contains(&format!(
                "step `a`: tool `{kind}` is not supported by this NoETL; supported are noop, shell, http, python"
            )),
            "{reported}"
        );
    }
    let sink = problem_text(
        "workflow: [{step: a, tool: {kind: noop}, sink: {tool: {kind: gcs, path: x}}}]",
    );
    assert!(
        sink.contains("sink `gcs` is not supported by this NoETL; supported are file, "),
        "{sink}"
    );
    let required =
        problem_text("executor: {requires: {tools: [http, rhai]}}\nworkflow: [{step: a}]");
    assert!(
        required.contains("tool `rhai` is not supported by this NoETL"),
        "{required}"
    );
    let keychain =
        problem_text("keychain: [{name: k, kind: secret_manager}]\nworkflow: [{step: a}]");
    assert!(
        keychain.contains("`secret_manager`, which NoETL does not fetch"),
        "{keychain}"
    );
}

#[test]
fn keys_and_steps_given_twice_are_warnings() {
    let found = problem_text(
        "workload: {a: 1, a: 2}\nworkflow:\n- step: x\n  tool: {kind: noop}\n  tool: {kind: noop}\n- {step: x}\n",
    );
    assert!(
        found.contains("test.yaml:4:18: field `a`: `a` is given twice; the last one counts"),
        "{found}"
    );
    assert!(
        found.contains("test.yaml:8:3: field `tool`: `tool` is given twice"),
        "{found}"
    );
    assert!(
        found.contains("line 6 has a step of this name already"),
        "{found}"
    );
}

#[test]
fn a_text_that_is_not_a_playbook_is_refused_with_the_reason() {
    for (text, expected) in [
        ("", "a playbook is a mapping, and this is nothing"),
        ("[1]", "a playbook is a mapping, and this is a list"),
        (
            "just words",
            "a playbook is a mapping, and this is a string",
        ),
        ("a: [1", "this is not YAML"),
        ("a: 1\n---\nb: 2\n", "a second document begins here"),
        ("a: b: c", "this is not YAML"),
        ("{}", "the playbook has no apiVersion"),
        ("{}", "the playbook has no name"),
        ("{}", "the workflow has no steps"),
        (
            "apiVersion: noetl.io/v1",
            "apiVersion `noetl.io/v1` is not one that NoETL reads",
        ),
        ("kind: Credential", "kind `Credential` is not a playbook"),
        ("kind: [Playbook]", "`kind` is a list, not a string"),
        ("workflow: 3", "`workflow` is a number, not a list"),
        ("workload: []", "`workload` is a list, not a mapping"),
    ] {
        let problems = Playbook::validate("x.yaml", text, &Map::new());
        assert!(problems.any_error());
        let reported = problems.to_string();
        assert!(reported.contains(expected), "{text:?}: {reported}");
        assert!(reported.starts_with("x.yaml"), "{reported}");
    }
}

#[test]
fn steps_of_version_1_are_errors_with_help() {
    let found = problem_text(
        "workflow:\n- step: a\n  type: http\n- name: b\n- step: c\n  code: x = 1\n- step: [d]\n- loop\n",
    );
    for expected in [
        "`type` on a step belongs to noetl.io/v1 (help: write `tool: {kind: …}`)",
        "the step has no name (help: write `step:` instead of `name:`)",
        "the step has `code` but no tool",
        "`step` is a list, not a string",
        "a step is a mapping, and this is a string",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn invalid_steps_are_errors_with_the_reason() {
    for (step, expected) in [
        ("loop: {iterator: x}", "the loop has no items"),
        (
            "loop: {in: [1], mode: sideways}",
            "mode `sideways` is neither",
        ),
        (
            "loop: {in: [1], mode: parallel, max_in_flight: 0}",
            "`max_in_flight` is a whole number from 1",
        ),
        (
            "loop: {in: [1], spec: {mode: parallel, max_in_flight: -2}}",
            "`max_in_flight` is a whole number from 1",
        ),
        ("loop: 5", "`loop` is a number, not a mapping"),
        ("tool: 5", "a tool is a mapping, and this is a number"),
        ("tool: {url: x}", "the tool has no kind"),
        ("tool: {kind: http}", "the http tool has no `url`"),
        ("tool: {kind: python}", "the python tool has no `code`"),
        ("tool: {kind: playbook}", "the playbook tool has no `path`"),
        ("tool: {kind: postgres}", "the postgres tool has no `query`"),
        (
            "tool: {kind: workbook, name: gone}",
            "the workbook has no `gone`",
        ),
        (
            "tool: {kind: noop, args: 5}",
            "`args` is a number, not a mapping",
        ),
        (
            "next: 5",
            "a step's name was expected, and this is a number",
        ),
        ("next: [{when: 'true'}]", "this arc names no step"),
        (
            "next: {spec: {mode: sideways}, arcs: [{step: end}]}",
            "mode `sideways` is neither",
        ),
        ("case: [{when: 'true'}]", "the rule has no `then`"),
        (
            "case: [{when: 'true', then: {explode: 1}}]",
            "`explode` is not an action",
        ),
        ("vars: [1]", "names and values were expected"),
        (
            "spec: {policy: {admit: {rules: [{when: 'true'}]}}}",
            "an admission rule has no `allow`",
        ),
    ] {
        let reported = problem_text(&format!("workflow:\n- step: here\n  {step}\n"));
        assert!(
            reported.contains(expected) && reported.contains("step `here`"),
            "{step}: {reported}"
        );
    }
}

#[test]
fn names_that_are_not_defined_are_errors_unless_the_payload_has_them() {
    let body = text(
        "workload: {a: 1}\nworkflow:\n- step: s\n  tool: {kind: noop, args: {x: '{{ a }}{{ given }}{{ s.x }}{{ later }}{{ typo }}'}}\n  vars: {later: 1}\n",
    );
    let given = Map::from_iter([("given".to_owned(), serde_json::json!(1))]);
    let reported = Playbook::validate("t", &body, &given).to_string();
    assert_eq!(
        reported,
        "t:7:32: step `s`, field `tool.args.x`: unknown name `typo` (help: define it in `workload`, give it with `--set typo=…`, or correct it)"
    );
    assert!(
        Playbook::validate("t", &body, &Map::new())
            .to_string()
            .contains("unknown name `given`")
    );
    let guarded = text(
        "workflow: [{step: s, tool: {kind: noop, args: {x: '{{ typo | default(1) }}', y: '{% if other is defined %}{{ other }}{% endif %}'}}}]",
    );
    assert!(Playbook::validate("t", &guarded, &Map::new()).0.is_empty());
}

#[test]
fn every_kind_of_problem_is_reported_once() {
    let reported = problem_text(
        "workflow:
- step: start
  tool: {kind: shell, cmd: 'echo {{ nowhere }}', args: {a: '{{ 1 +'}}
  next: missing
- step: lonely
  tool: {kind: kafka}
- step: fetched
  tool: {kind: python, script: {uri: x.py, source: {type: gcs}}}
- step: filtered
  tool: {kind: shell, cmd: \"{{ 'a|nope' | upper | mangled }}\"}
  next: [{step: end, when: '{{ workload is odder }}'}]
- step: open
  args: {k: '{{ keychain.none.b | default(1) }}{{ keychain.x }}'}
- step: early
  tool: {kind: shell, cmd: 'echo {{ result.a }} {{ keychain.none.b }} {{ keychain.none.c | default(1) }}'}
",
    );
    for (message, times) in [
        ("unknown name `nowhere`", 1),
        ("field `tool.args.a`: the template does not parse", 1),
        ("`missing`", 1),
        ("no step leads here", 5),
        ("tool `kafka` is not supported", 1),
        ("source `gcs` are not supported", 1),
        ("there is no filter `mangled`", 1),
        ("there is no test `odder`", 1),
        ("`result` has a value only after the call", 1),
        ("`keychain` has no `none`", 1),
        ("arguments of a step are stored with the execution", 1),
    ] {
        assert_eq!(
            reported.matches(message).count(),
            times,
            "{message}:\n{reported}"
        );
    }
}

#[test]
fn known_filters_tests_and_guarded_names_are_valid() {
    let reported = problem_text(
        "workload: {result: 1, list: [1]}
keychain: [{name: service, kind: credential, credential: api}]
workflow:
- step: start
  args: {own: '{{ result }}', text: \"{% if error %}x{% endif %}\"}
  tool:
  - zero: {kind: shell, cmd: \"{{ keychain.get('service').token }}{% if keychain.other %}x{% endif %}{% if response %}{% endif %}\"}
  - one: {kind: shell, cmd: \"echo {{ keychain.service.token }} {{ list | map('int') | sum }}\"}
  - two: {kind: shell, cmd: \"{% raw %}{{ a | b }}{% endraw %} {% if list is iterable and list is not string %}{{ 'x | y' }}{% endif %} {# {{ a | c }} #}\"}
  - three: {kind: shell, cmd: \"docker ps --format '{{.Names}} | {{.Size | z}}' | grep x\"}
  case:
  - when: '{{ result is defined and result.code is none or error is none }}'
    then: {set: {ctx.x: '{{ response | length }}'}}
",
    );
    assert_eq!(reported, "");
}
