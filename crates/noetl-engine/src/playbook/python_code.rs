//! The names that the code of a Python task uses.

use serde_json::Value as Json;

use super::task::Task;

/// Returns the parameters of a `def main(…)` in a task's code, those with defaults and stars left out.
pub(crate) fn main_parameters(task: &Task) -> Vec<String> {
    let code = task.config.value.get("code").and_then(Json::as_str);
    code.map_or_else(Vec::new, parameters_of_main)
}

/// Returns the parameters of a `def main(…)` in code, those with defaults and stars left out.
pub(crate) fn parameters_of_main(code: &str) -> Vec<String> {
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

/// Returns the keys that a task's code reads of a parameter, by `name["key"]` and `name.get("key")`. None when it uses the
/// parameter in any other way, so that it may need every key.
pub(crate) fn keys_of_parameter(task: &Task, name: &str) -> Option<Vec<String>> {
    let code = task.config.value.get("code").and_then(Json::as_str)?;
    let mut keys = Vec::new();
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    for (at, _) in code.match_indices(name) {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        if before.ends_with(is_word) || after.starts_with(is_word) || before.ends_with("def main(")
        {
            continue;
        }
        let key = after
            .strip_prefix('[')
            .or_else(|| after.strip_prefix(".get("))?;
        let quote = key
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''))?;
        let (key, _) = key[1..].split_once(quote)?;
        if key.contains('\\') {
            return None;
        }
        keys.push(key.to_owned());
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Field;
    use crate::playbook::ToolKind;
    use serde_json::json;

    #[test]
    fn the_keys_of_a_parameter_are_those_that_the_code_reads() {
        for (code, expected) in [
            (
                "def main(d):\n    return d['a'] + d.get(\"b\", 1)",
                Some(vec!["a", "b"]),
            ),
            ("def main(d):\n    return 1", Some(vec![])),
            (
                "def main(d: dict):\n    data = d['a']\n    return data",
                Some(vec!["a"]),
            ),
            ("def main(d):\n    return d", None),
            ("def main(d):\n    return d[k]", None),
            ("def main(d):\n    return d.items()", None),
            ("def main(d):\n    return f(**d)", None),
        ] {
            let task = Task {
                name: "t".to_owned(),
                kind: ToolKind::Python,
                config: Field::plain("tool", json!({"code": code})),
                args: Vec::new(),
                rules: Vec::new(),
                set: Vec::new(),
                retry: None,
                timeout: None,
            };
            let expected: Option<Vec<_>> =
                expected.map(|keys| keys.into_iter().map(str::to_owned).collect());
            assert_eq!(keys_of_parameter(&task, "d"), expected, "{code}");
        }
    }
}
