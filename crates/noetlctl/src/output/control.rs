//! Characters that change a terminal instead of being shown: they must not reach it from a server, a playbook or a
//! program that a step runs.

use std::fmt::Write as _;

/// Whether a character is one of C0, DEL, C1, or changes the direction of text.
pub(super) fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns text whose lines and tabs are kept, and whose other control characters are shown as `\u{fffd}`.
pub(crate) fn plain(text: &str) -> String {
    let shown = |character| match character {
        '\n' | '\t' => character,
        _ if is_control(character) => '\u{fffd}',
        _ => character,
    };
    text.chars().map(shown).collect()
}

/// Like [`plain`], and keeps the codes that this program's own colours consist of.
pub(super) fn plain_with_colours(text: &str, codes: &[&str]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\u{1b}') {
        let (before, from_escape) = rest.split_at(start);
        shown += &plain(before);
        let code = codes.iter().find(|code| from_escape.starts_with(**code));
        let length = code.map_or(1, |code| code.len());
        shown += code.unwrap_or(&"\u{fffd}");
        rest = &from_escape[length..];
    }
    shown + &plain(rest)
}

/// Returns JSON in which control characters are written as escapes.
pub(super) fn escaped_json(json: String) -> String {
    // Most documents have no such character, and a large one is not copied.
    if !json.chars().any(is_control) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_control(character) {
            // All of them are in the first plane. Writing to a string cannot fail.
            write!(text, "\\u{:04x}", u32::from(character)).unwrap_or_default();
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_lines_are_kept() {
        let text = "a\u{1b}[2Jb\r\u{9b}31m\u{202e}c\u{7f}\u{0}\n\td é 漢";
        let shown = plain(text);
        assert!(
            !shown
                .chars()
                .any(|it| is_control(it) && it != '\n' && it != '\t')
        );
        assert!(shown.ends_with("\n\td é 漢"), "{shown}");
        let coloured = plain_with_colours(
            "\u{1b}[32mok\u{1b}[0m \u{1b}[2J",
            &["\u{1b}[32m", "\u{1b}[0m"],
        );
        assert_eq!(coloured, "\u{1b}[32mok\u{1b}[0m \u{fffd}[2J");
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": "\u{85}\u{1b}\u{7f}"});
        let text = escaped_json(value.to_string());
        assert!(text.is_ascii(), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
