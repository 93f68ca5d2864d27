//! Tests of positions, expansion, limits and errors.

use serde_json::{Value as Json, json};

use super::*;

fn json_of(text: &str) -> Json {
    let options = Options {
        keys: Keys::ByValue,
        ..Options::default()
    };
    options.parse_one(text).expect("valid YAML").root.to_json()
}

fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn plain_scalars_are_typed_as_in_pyyaml() {
    let value = json_of(
        "a: yes\nb: off\nc: 0755\nd: 1_000\ne: 1e3\nf: '1'\ng: ~\nh: v1.2\ni: 1.2.3\nj: -0x1f\nk: !!str 5\nl: 08\n1: on\nno: m",
    );
    assert_eq!(
        value,
        json!({"a": true, "b": false, "c": 493, "d": 1000, "e": 1000.0, "f": "1", "g": null,
            "h": "v1.2", "i": "1.2.3", "j": -31, "k": "5", "l": "08", "1": true, "false": "m"})
    );
}

#[test]
fn every_value_has_its_byte_range() {
    let text = "# ü\r\na: plain # comment\r\nb: 'sin''gle' # why\r\nc: \"double \\\" ü\" # why\r\nd: {e: [x:1, \"y\"], f: &g z}\r\nh: *g\r\nj: !!str &k 'x:1'  # why\r\n---\r\n# empty\r\n---\r\ni: |\r\n  block\r\n";
    let documents = parse(text).unwrap();
    assert_eq!(documents.len(), 2);
    let written = |path: &str| &text[documents[0].at(path).unwrap().bytes.clone()];
    assert_eq!(written("a"), "plain");
    assert_eq!(written("b"), "'sin''gle'");
    assert_eq!(written("c"), "\"double \\\" ü\"");
    assert_eq!(written("d.f"), "z");
    assert_eq!(written("h"), "z", "an alias has the position of its anchor");
    assert_eq!(written("j"), "'x:1'");
    let items = documents[0].at("d.e").unwrap().items();
    assert_eq!(&text[items[0].bytes.clone()], "x:1");
    assert_eq!(&text[items[1].bytes.clone()], "\"y\"");
    assert_eq!(documents[0].at("c").unwrap().line, 4);
    let block = documents[1].get("i").unwrap();
    assert_eq!(block.text(), Some("block\n"));
    let Kind::Scalar(scalar) = &block.kind else {
        panic!("{block:?}");
    };
    assert_eq!(scalar.style, Style::Block);
    assert_eq!(&text[block.bytes.clone()], "block\r\n");
}

#[test]
fn lists_and_mappings_have_their_byte_range() {
    let text = "a: &x # the base\n  b: 1\n  c: [1, 2 ] # why\n# between\nd: *x\ne: !!map { f: 1 } # why\ng:\n  - x\n  - y: &z\n\n# end\n";
    let document = parse(text).unwrap().remove(0);
    let written = |path: &str| &text[document.at(path).unwrap().bytes.clone()];
    assert_eq!(written("a"), "b: 1\n  c: [1, 2 ]");
    assert_eq!(written("a.c"), "[1, 2 ]");
    assert_eq!(written("d"), written("a"));
    assert_eq!(written("e"), "{ f: 1 }");
    assert!(text[document.bytes.clone()].starts_with("a: &x"));
    let empty = &document.get("g").unwrap().items()[1].entries()[0].value;
    assert!(empty.is_null() && empty.bytes.is_empty());
}

#[test]
fn lines_and_columns_begin_with_one_and_blocks_on_their_first_line_of_text() {
    let document = parse("a:\n  b: 1\n  c: |\n    text\n  d: >-\n\n    more\n").unwrap();
    let inner = document[0].get("a").unwrap();
    assert_eq!((inner.line, inner.column), (2, 3));
    let lines = |key: &str| inner.get(key).map(|node| (node.line, node.text_line()));
    assert_eq!((lines("c"), lines("d")), (Some((4, 4)), Some((7, 6))));
    let entry = &inner.entries()[1];
    assert_eq!((&*entry.key, entry.line, entry.column), ("c", 3, 3));
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let value = json_of(
        "base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\nlist: [*b]\nnone: {<<: ~}\nmany: {<<: [*b, {z: 4}]}",
    );
    assert_eq!(value["more"], json!({"y": 3, "x": 1}));
    assert_eq!(value["list"][0], json!({"x": 1, "y": 2}));
    assert_eq!(value["none"], json!({}));
    assert_eq!(value["many"], json!({"x": 1, "y": 2, "z": 4}));
}

#[test]
fn invalid_yaml_is_refused_with_its_line() {
    for (text, words) in [
        ("a: 1\nb: [\n", "line 3, column 1: this is not YAML"),
        ("a: 1\na: 2\n", "line 2, column 1: duplicate key `a`"),
        ("a: *nothing\n", "not YAML"),
        ("a: &a [*a]", "refers to itself"),
        ("? [a]\n: b\n", "a key must be text"),
        ("{{ helm }}: x\n", "line 1"),
        (
            "a: {<<: [{x: 1}, 2]}\n",
            "line 1, column 9: `<<` can only merge mappings",
        ),
    ] {
        let error = refusal(text);
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn several_documents_are_read_by_parse_and_refused_by_parse_one() {
    let texts: Vec<_> = parse("a\n---\n---\n~\n...\nb\n")
        .unwrap()
        .iter()
        .map(|root| root.text().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["a", "b"]);
    assert!(parse("a: &x 1\n---\nb: *x\n").is_err());
    let one = |text| Options::default().parse_one(text);
    assert_eq!(one("").unwrap().root.to_json(), Json::Null);
    assert_eq!(one("--- 1\n...\n").unwrap().root.to_json(), json!(1));
    let error = one("a: 1\n---\nb: 2\n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 1));
    assert!(error.message.starts_with("a second document begins here"));
}

#[test]
fn duplicate_keys_are_kept_on_request() {
    let options = Options {
        duplicate_keys: DuplicateKeys::KeepLast,
        ..Options::default()
    };
    let document = options.parse_one("a:\n  b: 1\n  c: 2\n  b: 3\n").unwrap();
    let [duplicate] = &document.duplicates[..] else {
        panic!("{document:?}");
    };
    assert_eq!((&*duplicate.key, duplicate.line), ("b", 4));
    assert_eq!(document.root.to_json(), json!({"a": {"b": 3, "c": 2}}));
}

#[test]
fn values_repeated_by_aliases_are_limited() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let list = vec![format!("*a{}", level - 1); 10].join(",");
        bomb += &format!("a{level}: &a{level} [{list}]\n");
    }
    assert!(refusal(&bomb).contains("more than 200000 values"));
}

#[test]
fn text_repeated_by_aliases_is_limited() {
    let large = "x".repeat(1 << 20);
    let bomb = format!("a: &a {large}\nb: [{}]\n", vec!["*a"; 12_000].join(","));
    assert!(refusal(&bomb).contains("more than 16777216 bytes of text"));
    // The keys of a mapping are repeated as well.
    let bomb = format!(
        "a: &a {{? {large}\n : 1}}\nb: [{}]\n",
        vec!["*a"; 17].join(",")
    );
    assert!(refusal(&bomb).contains("bytes of text"));
    let modest = format!("a: &a {large}\nb: [{}]\n", vec!["*a"; 15].join(","));
    let document = parse(&modest).unwrap().remove(0);
    assert_eq!(document.get("b").unwrap().items()[14].text(), Some(&*large));
}

#[test]
fn nested_anchors_count_as_the_copies_that_are_kept() {
    let anchors: String = (0..90).map(|level| format!("&a{level} [")).collect();
    let text = format!("{anchors}{}1{}", "1,".repeat(3_000), "]".repeat(90));
    assert!(refusal(&text).contains("more than 200000 values"));
    let large = "x".repeat(17 << 20);
    assert!(parse(&format!("a: &a {large}\n")).is_ok());
}

#[test]
fn nesting_is_limited_with_aliases_expanded() {
    assert!(parse(&"[".repeat(5_000)).is_err());
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(100)).is_ok());
    assert!(refusal(&nested(101)).contains("deeper than 100 levels"));
    // Each alias here is two levels deeper than the one before.
    let chain: String = (1..60)
        .map(|level| format!("- &a{level} [[*a{}]]\n", level - 1))
        .collect();
    assert!(refusal(&format!("- &a0 1\n{chain}")).contains("deeper than 100 levels"));
}

#[test]
fn errors_have_a_kind() {
    let kind = |text: &str| parse(text).expect_err(text).kind;
    assert_eq!(kind("a: [1"), ErrorKind::Syntax);
    assert_eq!(kind("a: 1\na: 2\n"), ErrorKind::Content);
    assert_eq!(kind("? [a]\n: b\n"), ErrorKind::Content);
    assert_eq!(
        kind(&format!("{}1{}", "[".repeat(101), "]".repeat(101))),
        ErrorKind::Limit
    );
}
