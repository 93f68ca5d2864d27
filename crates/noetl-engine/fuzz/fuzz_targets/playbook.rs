//! Any text is a playbook or a list of problems: never a panic, a hang or a full memory.

#![no_main]

use libfuzzer_sys::fuzz_target;
use noetl_engine::Playbook;

fuzz_target!(|text: &str| {
    let problems = Playbook::validate("fuzz.yaml", text, &serde_json::Map::new());
    // Messages are for people: making one must not fail either.
    assert!(problems.to_string().len() < 64 << 20);
});
