//! What YAML means here.

use serde_json::json;

use super::*;

fn json_of(text: &str) -> Value {
    parse(text).expect("valid YAML").root.to_json()
}

#[test]
fn scalars_mean_what_they_mean_to_pyyaml() {
    let value = json_of(
        "a: yes\nb: off\nc: 0755\nd: 1_000\ne: 1e3\nf: '1'\ng: ~\nh: v1.2\ni: 1.2.3\nj: -0x1f\nk: !!str 5\nl: 08",
    );
    assert_eq!(
        value,
        json!({"a": true, "b": false, "c": 493, "d": 1000, "e": 1000.0, "f": "1", "g": null,
            "h": "v1.2", "i": "1.2.3", "j": -31, "k": "5", "l": "08"})
    );
}

#[test]
fn anchors_and_merge_keys_expand() {
    let value = json_of("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\nlist: [*b]");
    assert_eq!(value["more"], json!({"y": 3, "x": 1}));
    assert_eq!(value["list"][0], json!({"x": 1, "y": 2}));
}

#[test]
fn a_small_file_cannot_ask_for_a_large_tree() {
    let mut text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
    for level in 1..10 {
        let previous = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(","));
    }
    assert!(
        parse(&text)
            .expect_err("a bomb")
            .message
            .contains("more than")
    );
    let deep = "[".repeat(5_000);
    assert!(parse(&deep).is_err());
    assert!(parse("a: &a [*a]").is_err());
}

#[test]
fn places_count_from_one_and_blocks_begin_a_line_later() {
    let document = parse("a:\n  b: |\n    text\n  b: 2\n").expect("valid YAML");
    let inner = document.root.get("a").expect("a");
    assert_eq!(document.duplicates, [("b".to_owned(), 4, 3)]);
    assert_eq!((inner.line, inner.column), (2, 3));
    let block = parse("a:\n  b: 1\n  c: |\n    text\n  d: >-\n\n    more\n").expect("valid YAML");
    let lines = |key: &str| {
        let node = block.root.get("a").and_then(|a| a.get(key));
        node.map(|node| node.text_line)
    };
    assert_eq!((lines("c"), lines("d")), (Some(4), Some(6)));
    let failure = parse("a: [1\nb: 2").expect_err("unclosed");
    assert_eq!(failure.line, 2);
}
