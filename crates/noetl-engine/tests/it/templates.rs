//! Templates: values and text, the filters, and text that is not a template.

use noetl_engine::render;
use serde_json::{Map, Value, json};

use crate::harness::{object, problem_text, run};

fn names() -> Map<String, Value> {
    object(json!({
        "word": "Hello", "n": 7, "f": 2.5, "flag": true, "nothing": null, "list": [3, 1, 2],
        "text": "{\"a\": [1]}", "numeral": " 42 ", "map": {"x": 1, "y": {"z": "deep"}},
        "rows": [{"id": 1, "on": true}, {"id": 2, "on": false}],
        "http": {"status_code": 200, "data": {"paging": {"more": true}, "items": [5]}}
    }))
}

#[track_caller]
fn assert_renders(template: &str, expected: Value) {
    match render(&json!(template), &names()) {
        Ok(value) => assert_eq!(value, expected, "{template}"),
        Err(failure) => panic!("{template}: {failure}"),
    }
}

#[test]
fn one_expression_keeps_its_type_and_everything_else_is_text() {
    assert_renders("{{ n }}", json!(7));
    assert_renders(" {{ n }} ", json!(7));
    assert_renders("{{n}}", json!(7));
    assert_renders("n={{ n }}", json!("n=7"));
    assert_renders("{{ n }}{{ n }}", json!("77"));
    assert_renders("{{ map }}", json!({"x": 1, "y": {"z": "deep"}}));
    assert_renders("{{ map.y }}!", json!("{\"z\":\"deep\"}!"));
    assert_renders("{{ flag }} {{ nothing }}", json!("true null"));
    assert_renders("{{ list[0] + n }}", json!(10));
    assert_renders("{{ {'a': n} }}", json!({"a": 7}));
    assert_renders("{{ [n, word] }}", json!([7, "Hello"]));
    assert_renders("{{ '}}' }}", json!("}}"));
    assert_renders("{{ nothing }}", Value::Null);
    assert_renders("{% if flag %}yes{% else %}no{% endif %}", json!("yes"));
    assert_renders("{% for i in list %}{{ i }},{% endfor %}", json!("3,1,2,"));
    assert_renders("{{ word if n > 5 else 'no' }}", json!("Hello"));
    assert_renders("line\n", json!("line\n"));
    assert_renders("{{ word }}\n", json!("Hello"));
    assert_renders("a{# gone #}b", json!("ab"));
    assert_renders("{{ list[:2] }}", json!([3, 1]));
    assert_renders("{{ word[1:3] ~ rows[1:][0].id }}", json!("el2"));
}

#[test]
fn an_if_without_an_else_is_empty() {
    assert_renders("{{ 'a' if n > 9 }}", json!(""));
    assert_renders("{{ 'a' if n }}", json!("a"));
    assert_renders("<{{ 'a' if n > 9 }}>", json!("<>"));
    let commas = "{% for i in list %}{{ i }}{{ ',' if not loop.last }}{% endfor %}";
    assert_renders(commas, json!("3,1,2"));
    for template in [
        "{{ map.w if flag }}",
        "<{{ map.w if flag }}>",
        "{{ map.w }}",
    ] {
        let failure = render(&json!(template), &names()).unwrap_err();
        assert!(
            failure.message.contains("has no value"),
            "{template}: {failure}"
        );
    }
}

#[test]
fn dashes_at_the_braces_trim_white_space() {
    assert_renders("{{- n -}}", json!(7));
    assert_renders("{{- n }}", json!(7));
    assert_renders("{{ n -}}", json!(7));
    assert_renders("a {{- word }}", json!("aHello"));
    assert_renders("{{ -n }}", json!(-7));
}

#[test]
fn filters_give_the_values_of_jinja2() {
    assert_renders("{{ numeral | int }}", json!(42));
    assert_renders("{{ 'aaa' | replace('a', 'b') }}", json!("bbb"));
    assert_renders("{{ 'aaa' | replace('a', 'b', 2) }}", json!("bba"));
    assert_renders("{{ 7 | replace(7, n) }}", json!("7"));
    assert_renders("{{ 'x' | int }}", json!(0));
    assert_renders("{{ 'x' | int(5) }}", json!(5));
    assert_renders("{{ '3.9' | int }}", json!(3));
    assert_renders("{{ '2.5' | float }}", json!(2.5));
    assert_renders("{{ map.gone | default('d') }}", json!("d"));
    assert_renders("{{ gone | default('d') }}", json!("d"));
    assert_renders("{{ '' | default('d', true) }}", json!("d"));
    assert_renders(
        "{{ map | tojson }}",
        json!("{\"x\":1,\"y\":{\"z\":\"deep\"}}"),
    );
    assert_renders("{{ text | fromjson }}", json!({"a": [1]}));
    assert_renders("{{ (text | fromjson).a[0] }}", json!(1));
    assert_renders("{{ list | length }} {{ word | length }}", json!("3 5"));
    assert_renders(
        "{{ word | upper }}{{ word | lower }}{{ ' x ' | trim }}",
        json!("HELLOhellox"),
    );
    assert_renders("{{ word | replace('l', 'L') }}", json!("HeLLo"));
    assert_renders("{{ 'a,b' | split(',') }}", json!(["a", "b"]));
    assert_renders("{{ list | join('-') }}", json!("3-1-2"));
    assert_renders("{{ list | first }}{{ list | last }}", json!("32"));
    assert_renders("{{ 'grüß' | b64encode }}", json!("Z3LDvMOf"));
    assert_renders("{{ 'Z3LDvMOf' | b64decode }}", json!("grüß"));
    assert_renders("{{ n | string }}", json!("7"));
    assert_renders("{{ map | keys | list }}", json!(["x", "y"]));
    assert_renders("{{ map | values | list }}", json!([1, {"z": "deep"}]));
    assert_renders(
        "{{ map | items | list }}",
        json!([["x", 1], ["y", {"z": "deep"}]]),
    );
    assert_renders("{{ map | get('x') }} {{ map | get('q', 9) }}", json!("1 9"));
    assert_renders("{{ '<b>' | safe }}", json!("<b>"));
    assert_renders("{{ '<b>&' }}!", json!("<b>&!"));
    assert_renders(
        "{{ rows | selectattr('on') | map(attribute='id') | list }}",
        json!([1]),
    );
    assert_renders("{{ list | sort | list }}", json!([1, 2, 3]));
}

#[test]
fn methods_of_python_work() {
    assert_renders("{{ map.get('x') }}", json!(1));
    assert_renders("{{ map.get('q', 'd') }}", json!("d"));
    assert_renders("{{ 'a b'.split() }}", json!(["a", "b"]));
    assert_renders("{{ word.upper() }}", json!("HELLO"));
    assert_renders("{{ word.startswith('He') }}", json!(true));
    assert_renders("{{ map.keys() | list }}", json!(["x", "y"]));
    assert_renders(
        "{% for k, v in map.items() %}{{ k }}{% endfor %}",
        json!("xy"),
    );
}

#[test]
fn large_numbers_are_exact_and_arithmetic_errors_do_not_panic() {
    assert_renders("{{ 9007199254740993 }}", json!(9_007_199_254_740_993_i64));
    assert_renders("{{ 18446744073709551615 }}", json!(u64::MAX));
    assert_renders("{{ 7 / 2 }}", json!(3.5));
    assert_renders("{{ 7 // 2 }} {{ 7 % 2 }} {{ 2 ** 10 }}", json!("3 1 1024"));
    for template in [
        "{{ 1 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ 2 ** 1000000 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ '9' * 400 | int }}",
    ] {
        // The result may be a number or a failure.
        drop(render(&json!(template), &names()));
    }
}

#[test]
fn go_templates_and_shell_lengths_are_kept() {
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
            // The inner `{{\"\\n\"}}` is a template of NoETL as well: a line break.
            continue;
        }
        assert_renders(text, json!(text));
    }
    assert_renders("echo ${#name} {{ word }}", json!("echo ${#name} Hello"));
    assert_renders(
        "docker ps --format '{{.Names}}' | grep {{ word }}",
        json!("docker ps --format '{{.Names}}' | grep Hello"),
    );
    assert_renders("{{`{{.Size}}`}}", json!("{{.Size}}"));
    assert_renders(
        "{% raw %}{{.Size}} ${#a}{% endraw %} {{ n }}",
        json!("{{.Size}} ${#a} 7"),
    );
}

#[test]
fn templates_without_a_value_are_errors() {
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
fn templates_inside_lists_and_mappings_are_evaluated() {
    let value = json!({"a": ["{{ n }}", {"b": "{{ word }}!"}], "c": 1, "{{ n }}": "key"});
    let expected = json!({"a": [7, {"b": "Hello!"}], "c": 1, "{{ n }}": "key"});
    assert_eq!(render(&value, &names()).unwrap(), expected);
}

#[tokio::test]
async fn values_in_python_code_are_python_literals() {
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
async fn results_have_all_the_names_that_playbooks_use() {
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
async fn failures_have_file_line_step_and_field() {
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
    assert!(problem_text(body).contains(
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
async fn code_gets_all_values_in_context_and_json_arguments_as_values() {
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
