//! Any text is a template that has a value or fails: never a panic, a hang or a full memory.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// A value of every kind, under short names that an engine of random changes can hit.
static NAMES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let names = json!({
        "a": "text", "b": 7, "c": 2.5, "d": null, "e": true,
        "f": [1, 2, 3], "g": {"x": 1, "y": {"z": ["q", "r"]}}, "h": [],
        "i": {}, "j": "{\"k\": [1]}", "k": "dGV4dA==", "l": "ä→😀", "m": -9_223_372_036_854_775_808_i64,
        "n": 18_446_744_073_709_551_615_u64, "o": [{"n": 1}, {"n": 2}],
        "s": {"status_code": 200, "data": {"paging": {"more": true}, "items": [1]}},
        "workload": {"env": "dev", "n": 3}
    });
    names.as_object().cloned().unwrap_or_default()
});

fuzz_target!(|text: &str| {
    drop(noetl_engine::render(&Value::from(text), &NAMES));
});
