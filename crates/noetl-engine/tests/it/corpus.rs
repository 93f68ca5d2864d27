//! The corpus: every input that fuzzing has found is read again.

use std::path::{Path, PathBuf};

use noetl_engine::{Playbook, render};
use serde_json::{Map, Value, json};

use crate::harness::object;

fn inputs(kind: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(kind);
    let mut inputs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    inputs.sort();
    assert!(inputs.len() > 50, "only {} inputs", inputs.len());
    inputs
}

#[test]
fn every_playbook_is_read_or_refused() {
    for (path, text) in inputs("playbook") {
        let file = path.display().to_string();
        for problem in Playbook::validate(&file, &text, &Map::new()).0 {
            assert!(problem.to_string().starts_with(&file), "{problem}");
            assert!(problem.place.line <= text.lines().count() + 1, "{problem}");
        }
    }
}

#[test]
fn every_template_gives_the_same_value_or_failure_twice() {
    let names = object(json!({
        "a": "text", "b": 7, "c": 2.5, "d": null, "e": true,
        "f": [1, 2, 3], "g": {"x": 1, "y": {"z": ["q", "r"]}}, "h": [],
        "i": {}, "j": "{\"k\": [1]}", "k": "dGV4dA==", "l": "ä→😀", "m": i64::MIN,
        "n": u64::MAX, "o": [{"n": 1}, {"n": 2}],
        "s": {"status_code": 200, "data": {"paging": {"more": true}, "items": [1]}},
        "workload": {"env": "dev", "n": 3}
    }));
    for (_, text) in inputs("template") {
        let (once, twice) = (
            render(&Value::from(text.as_str()), &names),
            render(&Value::from(text), &names),
        );
        assert_eq!(once, twice);
    }
}
