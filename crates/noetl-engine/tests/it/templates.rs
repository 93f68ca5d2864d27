//! Templates: native values and text, the filters, and text that only looks like a template.

use noetl_engine::render;
use serde_json::{Map, Value, json};

use crate::stage::{object, run, said};

fn names() -> Map<String, Value> {
    object(json!({
        "word": "Hello", "n": 7, "f": 2.5, "flag": true, "nothing": null, "list": [3, 1, 2],
        "text": "{\"a\": [1]}", "numeral": " 42 ", "map": {"x": 1, "y": {"z": "deep"}},
        "rows": [{"id": 1, "on": true}, {"id": 2, "on": false}],
        "http": {"status_code": 200, "data": {"paging": {"more": true}, "items": [5]}}
    }))
}

#[track_caller]
fn gives(template: &str, expected: Value) {
    match render(&json!(template), &names()) {
        Ok(value) => assert_eq!(value, expected, "{template}"),
        Err(failure) => panic!("{template}: {failure}"),
    }
}

#[test]
fn one_expression_keeps_its_type_and_everything_else_is_text() {
    gives("{{ n }}", json!(7));
    gives(" {{ n }} ", json!(7));
    gives("{{n}}", json!(7));
    gives("n={{ n }}", json!("n=7"));
    gives("{{ n }}{{ n }}", json!("77"));
    gives("{{ map }}", json!({"x": 1, "y": {"z": "deep"}}));
    gives("{{ map.y }}!", json!("{\"z\":\"deep\"}!"));
    gives("{{ flag }} {{ nothing }}", json!("true null"));
    gives("{{ list[0] + n }}", json!(10));
    gives("{{ {'a': n} }}", json!({"a": 7}));
    gives("{{ [n, word] }}", json!([7, "Hello"]));
    gives("{{ '}}' }}", json!("}}"));
    gives("{{ nothing }}", Value::Null);
    gives("{% if flag %}yes{% else %}no{% endif %}", json!("yes"));
    gives("{% for i in list %}{{ i }},{% endfor %}", json!("3,1,2,"));
    gives("{{ word if n > 5 else 'no' }}", json!("Hello"));
    gives("line\n", json!("line\n"));
    gives("{{ word }}\n", json!("Hello"));
    gives("a{# gone #}b", json!("ab"));
}

#[test]
fn dashes_at_the_braces_trim_and_never_negate() {
    gives("{{- n -}}", json!(7));
    gives("{{- n }}", json!(7));
    gives("{{ n -}}", json!(7));
    gives("a {{- word }}", json!("aHello"));
    gives("{{ -n }}", json!(-7));
}

#[test]
fn filters_of_the_list() {
    gives("{{ numeral | int }}", json!(42));
    gives("{{ 'x' | int }}", json!(0));
    gives("{{ 'x' | int(5) }}", json!(5));
    gives("{{ '3.9' | int }}", json!(3));
    gives("{{ '2.5' | float }}", json!(2.5));
    gives("{{ map.gone | default('d') }}", json!("d"));
    gives("{{ gone | default('d') }}", json!("d"));
    gives("{{ '' | default('d', true) }}", json!("d"));
    gives(
        "{{ map | tojson }}",
        json!("{\"x\":1,\"y\":{\"z\":\"deep\"}}"),
    );
    gives("{{ text | fromjson }}", json!({"a": [1]}));
    gives("{{ (text | fromjson).a[0] }}", json!(1));
    gives("{{ list | length }} {{ word | length }}", json!("3 5"));
    gives(
        "{{ word | upper }}{{ word | lower }}{{ ' x ' | trim }}",
        json!("HELLOhellox"),
    );
    gives("{{ word | replace('l', 'L') }}", json!("HeLLo"));
    gives("{{ 'a,b' | split(',') }}", json!(["a", "b"]));
    gives("{{ list | join('-') }}", json!("3-1-2"));
    gives("{{ list | first }}{{ list | last }}", json!("32"));
    gives("{{ 'grüß' | b64encode }}", json!("Z3LDvMOf"));
    gives("{{ 'Z3LDvMOf' | b64decode }}", json!("grüß"));
    gives("{{ n | string }}", json!("7"));
    gives("{{ map | keys | list }}", json!(["x", "y"]));
    gives("{{ map | values | list }}", json!([1, {"z": "deep"}]));
    gives(
        "{{ map | items | list }}",
        json!([["x", 1], ["y", {"z": "deep"}]]),
    );
    gives("{{ map | get('x') }} {{ map | get('q', 9) }}", json!("1 9"));
    gives("{{ '<b>' | safe }}", json!("<b>"));
    gives("{{ '<b>&' }}!", json!("<b>&!"));
    gives(
        "{{ rows | selectattr('on') | map(attribute='id') | list }}",
        json!([1]),
    );
    gives("{{ list | sort | list }}", json!([1, 2, 3]));
}

#[test]
fn methods_as_python_has_them() {
    gives("{{ map.get('x') }}", json!(1));
    gives("{{ map.get('q', 'd') }}", json!("d"));
    gives("{{ 'a b'.split() }}", json!(["a", "b"]));
    gives("{{ word.upper() }}", json!("HELLO"));
    gives("{{ word.startswith('He') }}", json!(true));
    gives("{{ map.keys() | list }}", json!(["x", "y"]));
    gives(
        "{% for k, v in map.items() %}{{ k }}{% endfor %}",
        json!("xy"),
    );
}

#[test]
fn large_and_strange_numbers_stay_what_they_are() {
    gives("{{ 9007199254740993 }}", json!(9_007_199_254_740_993_i64));
    gives("{{ 18446744073709551615 }}", json!(u64::MAX));
    gives("{{ 7 / 2 }}", json!(3.5));
    gives("{{ 7 // 2 }} {{ 7 % 2 }} {{ 2 ** 10 }}", json!("3 1 1024"));
    for template in [
        "{{ 1 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ 2 ** 1000000 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ '9' * 400 | int }}",
    ] {
        // A number or a failure, whatever arithmetic says of it.
        drop(render(&json!(template), &names()));
    }
}

#[test]
fn go_templates_and_shell_lengths_stay_as_they_are() {
    for text in [
        "docker ps --format '{{.Names}}'",
        "docker ps --format '{{ .Names }}'",
        "docker ps --format \"table {{.ID}}\\t{{.Status}}\"",
        "kubectl get po -o go-template='{{range .items}}{{.metadata.name}}{{\"\\n\"}}{{end}}'",
        "docker inspect -f '{{json .State}}' x",
        "echo ${#name} ${name}",
        "echo ${#list[@]}",
        "awk '{print $1}'",
        "f() { echo x; }",
    ] {
        if text.contains("{{\"") {
            // The inner `{{\"\\n\"}}` is a template of ours as well: a line break.
            continue;
        }
        gives(text, json!(text));
    }
    gives("echo ${#name} {{ word }}", json!("echo ${#name} Hello"));
    gives(
        "docker ps --format '{{.Names}}' | grep {{ word }}",
        json!("docker ps --format '{{.Names}}' | grep Hello"),
    );
    gives("{{`{{.Size}}`}}", json!("{{.Size}}"));
}

#[test]
fn what_has_no_value_is_an_error() {
    for (template, message) in [
        ("{{ gone }}", "unknown name `gone`"),
        ("x {{ gone.deeper }}", "unknown name `gone`"),
        ("{{ map.gone }}", "`map.gone` has no value"),
        ("x {{ map.gone }}", "`map.gone` has no value"),
        ("{{ list[9] }}", "has no value"),
        ("{{ gone | upper }}", "unknown name `gone`"),
        ("{{ word | nofilter }}", "unknown filter"),
        ("{{ word + 1 }}", "the template failed"),
        ("{{ 'x' | fromjson }}", "is not JSON"),
        ("{{ '*' | b64decode }}", "is not base64"),
    ] {
        let failure = render(&json!(template), &names()).unwrap_err();
        assert!(
            failure.to_string().contains(message),
            "{template}: {failure}"
        );
    }
}

#[test]
fn values_inside_lists_and_mappings_are_rendered() {
    let value = json!({"a": ["{{ n }}", {"b": "{{ word }}!"}], "c": 1, "{{ n }}": "key"});
    let expected = json!({"a": [7, {"b": "Hello!"}], "c": 1, "{{ n }}": "key"});
    assert_eq!(render(&value, &names()).unwrap(), expected);
}

#[tokio::test]
async fn code_gets_values_as_python_writes_them() {
    let ran = run("workload: {flag: true, nothing: null, list: [1, 'two', false], map: {k: 'it''s'}, word: plain}
workflow:
- step: only
  tool:
    kind: python
    code: |
      result = {'flag': {{ flag }}, 'nothing': {{ nothing }}, 'list': {{ list }}, 'map': {{ map }}, 'word': '{{ word }}'}
")
    .await
    .completed();
    assert_eq!(
        ran.result("only"),
        json!({"flag": true, "nothing": null, "list": [1, "two", false], "map": {"k": "it's"}, "word": "plain"})
    );
}

#[tokio::test]
async fn results_have_the_names_that_playbooks_ask_for() {
    let ran = run("workflow:
- step: one
  tool: {kind: noop, args: {status_code: 200, data: {paging: {more: true}, id: 5}}}
  next: two
- step: two
  tool: {kind: noop, args: {a: '{{ one.data.id }}', b: '{{ one.result.data.id }}', c: '{{ one.paging.more }}', d: '{{ one.output.status_code }}', e: '{{ one.body.id }}'}}
  next: three
- {step: three, tool: {kind: python, code: 'result = [1, 2]'}, next: four}
- {step: four, tool: {kind: noop, args: {a: '{{ three }}', b: '{{ three.result }}', c: '{{ three.result[0] }}', d: '{{ three.data | length }}'}}}
")
    .await
    .completed();
    assert_eq!(
        ran.result("two"),
        json!({"a": 5, "b": 5, "c": true, "d": 200, "e": 5})
    );
    assert_eq!(
        ran.result("four"),
        json!({"a": [1, 2], "b": [1, 2], "c": 1, "d": 2})
    );
}

#[tokio::test]
async fn failures_name_file_line_step_and_field() {
    let body = "workflow:
- step: first
  tool:
    kind: noop
    args:
      deep:
      - fine
      - word: '{{ nowhere.x }}'
";
    let failed = run(body).await.failed();
    assert_eq!(
        failed,
        "test.yaml:11: step `first`, field `tool.args.deep[1].word`: unknown name `nowhere`"
    );
    assert!(said(body).contains(
        "test.yaml:11: step `first`, field `tool.args.deep[1].word`: unknown name `nowhere`"
    ));
    let block = "workflow:\n- step: first\n  tool:\n    kind: shell\n    cmds: |\n      echo one\n      echo {{ nowhere }}\n";
    let failed = run(block).await.failed();
    assert!(
        failed.starts_with("test.yaml:10: step `first`, field `tool.cmds`"),
        "{failed}"
    );
}

#[tokio::test]
async fn code_finds_everything_in_context_and_arguments_as_json_are_values() {
    let ran = run("workload: {rows: [1, 2]}
workflow:
- step: start
  tool: {kind: python, code: \"result = {'a': 1}\"}
  next: [{step: use, args: {arc: '{{ start | tojson }}'}}]
- step: use
  args: {step: '{{ workload.rows | tojson }}'}
  tool:
    kind: python
    args: {own: '{{ rows | tojson() }}', text: 'x {{ rows | tojson }}'}
    code: |
      result = [context['rows'], context['workload']['rows'], context['start'], arc, step, own, text]
")
    .await
    .completed();
    let rows = json!([1, 2]);
    let a = json!({"a": 1});
    assert_eq!(
        ran.result("use"),
        json!([rows, rows, a, a, rows, rows, "x [1,2]"])
    );
}
