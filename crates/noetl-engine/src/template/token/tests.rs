//! Tests of segments and tokens.

use super::*;

fn texts(template: &str) -> Vec<&str> {
    segments(template).map(Segment::text).collect()
}

fn words(code: &str) -> Vec<&str> {
    tokens(code).map(|token| token.text).collect()
}

#[test]
fn segments_are_the_whole_text_in_order() {
    let template = "a {{ b }}{% if c %} {# d #}{e}{{ {'f': {}} }}g";
    let found: Vec<_> = segments(template).collect();
    assert_eq!(
        found,
        [
            Segment::Text("a "),
            Segment::Expression("{{ b }}"),
            Segment::Block("{% if c %}"),
            Segment::Text(" "),
            Segment::Comment("{# d #}"),
            Segment::Text("{e}"),
            Segment::Expression("{{ {'f': {}} }}"),
            Segment::Text("g"),
        ]
    );
    assert_eq!(texts(template).concat(), template);
}

#[test]
fn braces_in_strings_do_not_close_a_segment() {
    assert_eq!(texts("{{ '}}' }}x"), ["{{ '}}' }}", "x"]);
    assert_eq!(texts(r"{{ '\'}}' }}x"), [r"{{ '\'}}' }}", "x"]);
    assert_eq!(
        texts("{% set a = \"%}\" %}x"),
        ["{% set a = \"%}\" %}", "x"]
    );
    assert_eq!(texts("{{`{{.Size}}`}}x"), ["{{`{{.Size}}`}}", "x"]);
    assert_eq!(texts("{{ 'open }}"), ["{{ 'open }}"]);
}

#[test]
fn unclosed_comments_and_shell_lengths_are_text() {
    assert_eq!(texts("${#name} {# a #}"), ["${#name} ", "{# a #}"]);
    assert_eq!(texts("{# a #}{# open"), ["{# a #}", "{# open"]);
    assert_eq!(texts("{#}"), ["{#}"]);
}

#[test]
fn raw_text_has_no_segments() {
    let template = "{% raw %}{{ a }}{# b #}{% endraw %}{{ c }}";
    let found: Vec<_> = segments(template).collect();
    assert_eq!(
        found,
        [
            Segment::Block("{% raw %}"),
            Segment::Raw("{{ a }}{# b #}"),
            Segment::Block("{% endraw %}"),
            Segment::Expression("{{ c }}"),
        ]
    );
    assert_eq!(texts("{%- raw -%}{{ a"), ["{%- raw -%}", "{{ a"]);
}

#[test]
fn code_is_words_strings_and_symbols() {
    assert_eq!(
        words("a.b[1.5]|d('x\\'y', \"z\") is not größer"),
        [
            "a", ".", "b", "[", "1", ".", "5", "]", "|", "d", "(", "'x\\'y'", ",", "\"z\"", ")",
            "is", "not", "größer"
        ]
    );
    let string = tokens(" 'a'").next().unwrap();
    assert_eq!((string.start, string.quoted_text()), (1, Some("a")));
    assert_eq!(tokens("'a").next().unwrap().quoted_text(), None);
    assert_eq!(tokens("'").next().unwrap().quoted_text(), None);
    assert_eq!(tokens(r"'a\").next().unwrap().text, r"'a\");
}

#[test]
fn uses_of_a_path_are_found_by_tokens() {
    let tokens = code_tokens("a.b {{ a.b | x }} {{ c.a.b }} {{ 'a.b' }} {% if a . b( %}");
    let after: Vec<_> = after_path(&tokens, "a.b")
        .map(|rest| rest[0].text)
        .collect();
    assert_eq!(after, ["|", "("]);
}
