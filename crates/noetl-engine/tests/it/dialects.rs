//! The three dialects of playbooks: all are read into one model and run in the same way.

use serde_json::json;

use crate::harness::{playbook, run};

#[tokio::test]
async fn the_first_dialect_routes_by_case() {
    let ran = run("workload: {message: Hello}
workflow:
- step: start
  tool: {kind: noop, args: {said: '{{ workload.message }}'}}
  case:
  - when: \"{{ event.name == 'step.exit' and response is defined }}\"
    then: {next: [{step: second, args: {word: '{{ response.said }}'}}]}
- step: second
  args: {word: nothing}
  tool: {kind: noop, args: {again: '{{ word }} again'}}
  case:
  - when: \"{{ event.name == 'call.done' }}\"
    then:
    - set: {kept: '{{ response.again }}'}
    - result: {from: response}
    - next: [{step: end}]
- step: end
  tool: {kind: noop, args: {last: '{{ vars.kept }}'}}
")
    .await
    .completed();
    assert_eq!(ran.entered(), ["start", "second", "end"]);
    assert_eq!(ran.result("end")["last"], "Hello again");
}

#[tokio::test]
async fn the_automation_dialect_routes_by_conditions_in_next() {
    let body = "executor: {profile: local, version: noetl-runtime/1, requires: {tools: [noop]}}
workload: {environment: staging}
workflow:
- step: start
  tool: {kind: noop}
  vars: {seen: 'yes, {{ workload.environment }}'}
  next:
  - {step: production, when: \"{{ workload.environment == 'production' }}\"}
  - {step: staging, when: \"{{ workload.environment == 'staging' }}\"}
  - step: other
- {step: production, tool: {kind: noop}}
- {step: staging, tool: {kind: noop}, next: end}
- {step: other, tool: {kind: noop}}
- step: end
";
    let ran = run(body).await.completed();
    assert_eq!(ran.entered(), ["start", "staging", "end"]);
    assert_eq!(ran.variable("seen"), "yes, staging");
}

#[tokio::test]
async fn the_router_dialect_has_arcs_pipelines_and_scopes() {
    for (args, outcome, set_ctx, arc_args) in [
        ("args", "outcome", "set_ctx", "args"),
        ("input", "output", "set", "input"),
    ] {
        let body = format!(
            "workflow:
- step: first
  tool:
  - name: one
    kind: noop
    {args}: {{n: 2}}
    spec: {{policy: {{rules: [{{when: \"{{{{ {outcome}.status == 'ok' }}}}\", then: {{do: continue, {set_ctx}: {{total: '{{{{ {outcome}.result.n + 1 }}}}'}}}}}}]}}}}
  - name: two
    kind: noop
    {args}: {{n: '{{{{ _prev.n * 10 }}}}', ctx: '{{{{ ctx.total }}}}'}}
  next:
    spec: {{mode: exclusive}}
    arcs:
    - {{step: second, when: '{{{{ ctx.total > 2 }}}}', {arc_args}: {{brought: '{{{{ first.n }}}}'}}}}
    - {{step: third}}
- step: second
  tool: {{kind: noop, args: {{got: '{{{{ brought }}}}'}}}}
- {{step: third, tool: {{kind: noop}}}}
"
        );
        let ran = run(&body).await.completed();
        assert_eq!(ran.entered(), ["first", "second"], "{args}");
        assert_eq!(ran.result("first"), json!({"n": 20, "ctx": 3}));
        assert_eq!(ran.result("second")["got"], 20);
        assert_eq!(ran.variable("total"), 3);
    }
}

#[tokio::test]
async fn a_pipeline_may_be_a_list_or_a_mapping_of_labels() {
    let shapes = [
        "- {name: fetch, kind: noop, args: {n: 1}}\n  - {name: show, kind: noop, args: {m: '{{ fetch.n }}'}}",
        "- fetch: {kind: noop, args: {n: 1}}\n  - show: {kind: noop, args: {m: '{{ fetch.n }}'}}",
        "  fetch: {kind: noop, args: {n: 1}}\n    show: {kind: noop, args: {m: '{{ fetch.n }}'}}",
    ];
    for shape in shapes {
        let body = format!("workflow:\n- step: only\n  tool:\n  {shape}\n");
        let ran = run(&body).await.completed();
        assert_eq!(ran.result("only"), json!({"m": 1}), "{shape}");
    }
    let unnamed = playbook("workflow:\n- step: only\n  tool: [{kind: noop}, {kind: noop}]\n");
    let names: Vec<_> = unnamed.steps[0]
        .tasks
        .iter()
        .map(|task| &task.name)
        .collect();
    assert_eq!(names, ["task_0", "task_1"]);
}

#[tokio::test]
async fn results_of_a_pipeline_are_stored_by_task() {
    let ran = run("workflow:
- step: first
  tool: [{name: a, kind: noop, args: {n: 1}}, {name: b, kind: noop, args: {n: 2}}]
  next: second
- step: second
  tool: {kind: noop, args: {a: '{{ first.results.a.n }}', b: '{{ first.result.n }}'}}
")
    .await
    .completed();
    assert_eq!(ran.result("second"), json!({"a": 1, "b": 2}));
}

#[tokio::test]
async fn variables_are_set_in_every_form() {
    let forms = [
        "vars: {v: '{{ result.n }}'}",
        "set: {v: '{{ result.n }}'}",
        "set: {ctx.v: '{{ result.n }}'}",
        "set: {ctx: {v: '{{ result.n }}'}}",
        "set: [{name: ctx.v, value: '{{ result.n }}'}]",
        "set: [{v: '{{ result.n }}'}]",
        "set_ctx: {v: '{{ result.n }}'}",
        "case: [{when: 'true', then: {set: {v: '{{ response.n }}'}}}]",
        "case: [{when: 'true', then: [{set_ctx: {v: '{{ response.n }}'}}]}]",
        "next: {arcs: [{step: end, set: {ctx.v: '{{ result.n }}'}}]}",
    ];
    for form in forms {
        let body =
            format!("workflow:\n- step: only\n  tool: {{kind: noop, args: {{n: 4}}}}\n  {form}\n");
        let ran = run(&body).await.completed();
        assert_eq!(ran.variable("v"), 4, "{form}");
    }
}

#[tokio::test]
async fn variables_can_be_used_by_each_of_their_names() {
    let ran = run("workload: {given: 1}
workflow:
- step: one
  tool: {kind: noop, args: {n: 2}}
  vars: {v: '{{ one.n }}'}
  next: two
- step: two
  tool: {kind: noop, args: {a: '{{ v }}', b: '{{ vars.v }}', c: '{{ ctx.v }}', d: '{{ given }}', e: '{{ vars.given }}', f: '{{ workload.given }}'}}
")
    .await
    .completed();
    assert_eq!(
        ran.result("two"),
        json!({"a": 2, "b": 2, "c": 2, "d": 1, "e": 1, "f": 1})
    );
}

#[tokio::test]
async fn a_bare_tool_name_takes_the_fields_of_its_step() {
    let ran = run("workflow:\n- step: only\n  tool: python\n  code: result = 6 * 7\n")
        .await
        .completed();
    assert_eq!(ran.result("only"), 42);
}

#[tokio::test]
async fn workbook_tools_are_used_by_name() {
    let ran = run("workbook:
- name: greet
  tool: {kind: noop, args: {word: hello, to: nobody}}
workflow:
- step: only
  tool: {kind: workbook, name: greet, args: {to: all}}
")
    .await
    .completed();
    assert_eq!(ran.result("only"), json!({"word": "hello", "to": "all"}));
}

#[test]
fn metadata_and_the_executor_are_read() {
    let read = playbook(
        "executor: {profile: local, spec: {entry_step: b, final_step: c, no_next_is_error: true}}
workflow: [{step: a, next: b}, {step: b, next: a}, {step: c}]
",
    );
    assert_eq!(
        (read.name.as_str(), read.path.as_str()),
        ("tested", "tested")
    );
    assert_eq!(read.entry().name, "b");
    assert_eq!(read.executor.final_step.as_deref(), Some("c"));
    assert!(read.executor.no_next_is_error);
    assert_eq!(
        playbook("workflow: [{step: a}, {step: start}]")
            .entry()
            .name,
        "start"
    );
    assert_eq!(
        playbook("workflow: [{step: b}, {step: a}]").entry().name,
        "b"
    );
}

#[tokio::test]
async fn libraries_of_a_step_are_imported_under_their_names() {
    let ran = run("workflow:
- step: only
  tool:
    kind: python
    libs: {json: json, m: math, datetime: {from: datetime, import: datetime}}
    code: |
      def main():
          return {'a': json.dumps([1]), 'b': m.floor(2.5), 'c': datetime(2020, 1, 2).year}
")
    .await
    .completed();
    assert_eq!(ran.result("only"), json!({"a": "[1]", "b": 2, "c": 2020}));
    let failed = run("workflow: [{step: only, tool: {kind: python, libs: {x: no_such_module}, code: result = 1}}]").await;
    assert!(
        failed.failed().contains("no_such_module"),
        "{}",
        failed.failed()
    );
}

#[tokio::test]
async fn a_condition_can_test_whether_a_branch_was_taken() {
    let ran = run("workflow:
- {step: a, tool: {kind: noop}, next: [{step: high, when: '{{ 1 > 2 }}'}, {step: low}]}
- {step: high, tool: {kind: noop, args: {n: 9}}, next: sum}
- {step: low, tool: {kind: noop, args: {n: 1}}, next: sum}
- {step: sum, tool: {kind: noop, args: {n: '{{ high.n if high else low.n }}', said: '{% if high %}high{% else %}low{% endif %}'}}}
")
    .await
    .completed();
    assert_eq!(ran.result("sum"), json!({"n": 1, "said": "low"}));
}

#[tokio::test]
async fn a_script_can_be_written_in_the_playbook() {
    let ran = run("workload: {code: result = 5}
workflow: [{step: only, tool: {kind: python, script: {uri: inline, source: {type: inline, code: '{{ workload.code }}'}}}}]
")
    .await
    .completed();
    assert_eq!(ran.result("only"), 5);
}
