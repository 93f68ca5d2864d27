//! Small inputs that would take much time, memory or stack without limits.

use std::time::{Duration, Instant};

use noetl_engine::{Playbook, render};
use serde_json::{Map, json};

use crate::harness::{object, problem_text, text};

/// The time limit for one input; a debug build on a busy machine stays well below it.
const MAX_TIME: Duration = Duration::from_secs(20);

/// Returns the problems of a text, found on a stack of the size that the server's threads have.
fn validation_text(text: String) -> String {
    let begun = Instant::now();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let work = move || Playbook::validate("t", &text, &Map::new()).to_string();
    let reported = thread.spawn(work).unwrap().join().unwrap();
    assert!(begun.elapsed() < MAX_TIME, "{:?}", begun.elapsed());
    reported
}

/// Returns the length of a template's value as JSON, or the message of its failure.
fn rendered_length(template: &str) -> Result<usize, String> {
    let begun = Instant::now();
    let template = template.to_owned();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let work = move || {
        let names = object(json!({"word": "x", "list": [1, 2], "map": {"a": 1}}));
        match render(&json!(template), &names) {
            Ok(value) => Ok(serde_json::to_string(&value).unwrap().len()),
            Err(failure) => Err(failure.to_string()),
        }
    };
    let answer = thread.spawn(work).unwrap().join().unwrap();
    assert!(begun.elapsed() < MAX_TIME, "{:?}", begun.elapsed());
    answer
}

#[test]
fn aliases_are_expanded_up_to_a_limit() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(",");
        bomb += &format!("a{level}: &a{level} [{inner}]\n");
    }
    assert!(validation_text(bomb).contains("holds more than"));
    let merges = "base: &b {x: 1}\n".to_owned() + &"m: {<<: *b, <<: *b}\n".repeat(2000);
    assert!(validation_text(merges).contains("given twice"));
    assert!(validation_text("a: &a {b: *a}".to_owned()).contains("refers to itself"));
}

#[test]
fn values_nest_up_to_a_limit() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("a: {}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        (0..2_000)
            .map(|level| format!("{}a:\n", " ".repeat(level)))
            .collect(),
        "- ".repeat(50_000),
        "? ".repeat(50_000),
        "!a ".repeat(50_000),
        "&a ".repeat(50_000),
    ] {
        assert!(!validation_text(text).is_empty());
    }
    let nested = "next: [{when: 'true', then: ".repeat(3_000) + "a" + &"}]".repeat(3_000);
    assert!(!validation_text(text(&format!("workflow:\n- step: a\n  {nested}\n"))).is_empty());
}

#[test]
fn a_mapping_of_very_many_keys_is_read_in_time() {
    let keys: String = (0..100_000).map(|key| format!("  k{key}: 1\n")).collect();
    let reported = validation_text(text(&format!(
        "workload:\n{keys}workflow: [{{step: a, tool: {{kind: noop}}}}]\n"
    )));
    assert_eq!(reported, "");
}

#[test]
fn very_many_steps_are_read_in_time() {
    let steps: String = (0..5_000)
        .map(|n| format!("- {{step: s{n}, next: gone{n}}}\n"))
        .collect();
    let reported = validation_text(text(&format!("workflow:\n{steps}")));
    assert!(reported.contains("there is no step `gone4999`"));
}

#[test]
fn templates_with_very_large_values_fail() {
    for template in [
        "{{ 'a' * 1000000000 }}",
        "{{ 'a' * 99999999 }}",
        "{{ ('a' * 9999999) * 9999999 }}",
        "{{ [0] * 1000000000 }}",
        "{{ ([0] * 90000000) | list | length }}",
        "{{ ((1, 2) * 40000000) | length }}",
        "{{ range(10**9) | list }}",
        "{{ range(1000000000) | join }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '%.1000000000f' | format(1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ word | indent(1000000000) }}",
        "{{ ('\\n' * 90000) | indent(90000) }}",
        "{{ [1] | batch(1000000000, 0) | list }}",
        "{{ [1] | slice(1000000000, 0) | list }}",
        "{{ ('a' * 100000) | replace('', 'b' * 100000) }}",
        "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
        "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
        "{{ ([1] * 100000) | join('b' * 100000) }}",
        "{{ ('b' * 100000).join(['x'] * 100000) }}",
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x | length }}{{ ns.x | list | length }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    ] {
        let answer = rendered_length(template);
        let small = matches!(answer, Ok(length) if length <= 64 << 20);
        assert!(answer.is_err() || small, "{template}: {answer:?}");
    }
}

#[test]
fn values_and_code_that_nest_very_deep_are_refused() {
    for (template, expected) in [
        (
            "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}done".to_owned(),
            "namespace is unknown",
        ),
        (
            "{{ ('[' * 100000 ~ ']' * 100000) | fromjson }}".to_owned(),
            "the text is not JSON",
        ),
        (
            format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
            "the expression is too long",
        ),
        (
            format!("{{{{ {}word }}}}", "not ".repeat(20_000)),
            "the expression is too long",
        ),
        (
            format!("{{{{ 1{} }}}}", " + 1".repeat(20_000)),
            "the expression is too long",
        ),
        (
            format!("{{{{ word{} }}}}", ".a".repeat(20_000)),
            "the expression is too long",
        ),
        (
            format!("x {{{{ word{} }}}}", " | upper".repeat(20_000)),
            "the expression is too long",
        ),
        (
            format!(
                "{}x{}",
                "{% if word %}".repeat(5_000),
                "{% endif %}".repeat(5_000)
            ),
            "the template has too many blocks",
        ),
    ] {
        let failure = rendered_length(&template).unwrap_err();
        assert!(failure.contains(expected), "{expected}: {failure}");
    }
}

#[test]
fn templates_of_many_braces_are_read_in_time() {
    for (template, length) in [
        ("{{".repeat(20_000), None),
        ("{#".repeat(20_000), Some(40_002)),
        ("{{.a}}".repeat(400), Some(2_402)),
        ("{{.a}}".repeat(20_000), None),
        ("a.result ".repeat(20_000), Some(180_002)),
        ("{{ a.result ".repeat(5_000), None),
        ("{{ '".repeat(20_000), None),
        ("{%".repeat(20_000), None),
        ("{% raw %}{%".repeat(400), None),
        ("${#".repeat(20_000), Some(60_002)),
        (
            format!(
                "{{{{ word == '{}' and word is defined }}}}",
                "word ".repeat(100_000)
            ),
            Some("false".len()),
        ),
    ] {
        let rendered = rendered_length(&template);
        let begin: String = template.chars().take(12).collect();
        assert_eq!(rendered.clone().ok(), length, "{begin}…: {rendered:?}");
    }
}

#[test]
fn text_repeated_by_aliases_is_limited() {
    let bomb = format!(
        "workload:\n  a: &a {}\n  b: [{}]\n",
        "x".repeat(1 << 20),
        vec!["*a"; 12_000].join(",")
    );
    assert!(validation_text(bomb).contains("bytes of text"));
}

#[test]
fn messages_stay_short_however_long_the_text_is() {
    let long = "x".repeat(1_000_000);
    let reported = problem_text(&format!(
        "workflow: [{{step: a, next: '{long}'}}, {{step: b, tool: {{kind: '{long}'}}}}]"
    ));
    assert!(reported.len() < 4_000_000, "{}", reported.len());
}
