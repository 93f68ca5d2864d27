//! The names that the code of a Python task uses.

use serde_json::Value as Json;

use super::task::Task;

/// Returns the parameters of a `def main(…)` in a task's code, those with defaults and stars left out.
pub(crate) fn main_parameters(task: &Task) -> Vec<String> {
    let Some(code) = task.config.value.get("code").and_then(Json::as_str) else {
        return Vec::new();
    };
    let Some(start) = code.find("def main(") else {
        return Vec::new();
    };
    let signature = &code[start + "def main(".len()..];
    let (mut depth, mut end) = (0_i32, signature.len());
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                end = at;
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    signature[..end]
        .split(',')
        .filter(|parameter| !parameter.contains('='))
        .map(|parameter| {
            parameter
                .split(':')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|name| !name.is_empty() && !name.starts_with(['*', '/']))
        .filter(|name| {
            name.chars()
                .all(|character| character == '_' || character.is_alphanumeric())
        })
        .collect()
}

/// Whether a task's code may read `context`, which holds all values. Code in a file may.
pub(crate) fn reads_context(task: &Task) -> bool {
    match task.config.value.get("code").and_then(Json::as_str) {
        Some(code) => code.contains("context"),
        None => true,
    }
}
