//! The source that minijinja gets: text of a playbook that only looks like a template is kept as text.

use std::borrow::Cow;

use super::concat::with_filtered_operands;
use super::token::{Segment, Token, TokenKind, after_path, closing, segments, tokens};

/// Words that begin an action of Go's templates, as `docker --format` and `kubectl -o` take them.
const GO_WORDS: [&str; 8] = [
    "range", "end", "json", "println", "printf", "with", "index", "else",
];

/// Returns the source for minijinja: Go templates and the shell's `${#name}` stay as they are, and
/// `step.result` works for every result, not only for mappings.
pub(super) fn prepare(text: &str) -> Cow<'_, str> {
    let go = ["{{.", "{{ .", "{{-", "{{range", "{{`", "{{json", ".*"]
        .iter()
        .any(|mark| text.contains(mark));
    let hash = text.contains("{#");
    let results = text.contains(".result") || text.contains(".data") || text.contains(".output");
    let concats = text.contains('~');
    if !go && !hash && !results && !concats {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for segment in segments(text) {
        match segment {
            Segment::Text(text) => out.push_str(&text.replace("{#", "{{ '{#' }}")),
            Segment::Expression(text) if go && is_go_template(text) => {
                let unescaped = text
                    .strip_prefix("{{`")
                    .and_then(|inside| inside.strip_suffix("`}}"));
                out.push_str("{% raw %}");
                out.push_str(unescaped.unwrap_or(text));
                out.push_str("{% endraw %}");
            }
            Segment::Expression(text) | Segment::Block(text) => {
                let mut code = with_result_filter(text);
                if concats {
                    code = with_filtered_operands(&code);
                }
                out.push_str(&code);
            }
            Segment::Comment(text) | Segment::Raw(text) => out.push_str(text),
        }
    }
    Cow::Owned(out)
}

fn is_go_template(segment: &str) -> bool {
    let inside = segment.trim_start_matches("{{").trim_end_matches("}}");
    let inside = inside.trim_matches('-').trim();
    let first = inside.split_whitespace().next().unwrap_or_default();
    // Go's templates escape themselves as {{`{{.Size}}`}}; `vars.*` is written in prose.
    inside.starts_with(['.', '$', '`'])
        || inside.ends_with(".*")
        || (GO_WORDS.contains(&first) && (inside.contains(" .") || inside == first))
}

/// Replaces `fetch.result.id` by `(fetch|result_of('result')).id`: see the filter.
fn with_result_filter(segment: &str) -> String {
    let tokens: Vec<Token<'_>> = tokens(segment).collect();
    let mut out = String::with_capacity(segment.len());
    let mut copied = 0;
    for (index, token) in tokens.iter().enumerate() {
        let is_attribute = index > 0 && tokens[index - 1].text == ".";
        let is_name = !token.text.starts_with(|first: char| first.is_ascii_digit());
        if token.kind != TokenKind::Word || !is_name || is_attribute {
            continue;
        }
        // Without white space between them, as attributes are written.
        let [dot, field] = &tokens[index + 1..].get(..2).unwrap_or_default() else {
            continue;
        };
        let end = token.start + token.text.len();
        let adjacent = dot.text == "." && dot.start == end && field.start == end + 1;
        if adjacent && ["result", "data", "output"].contains(&field.text) {
            let (name, field_name) = (token.text, field.text);
            out.push_str(&segment[copied..token.start]);
            out.push_str(&format!("({name}|result_of('{field_name}'))"));
            copied = field.start + field.text.len();
        }
    }
    out.push_str(&segment[copied..]);
    out
}

/// Returns the expression, when a text is exactly one `{{ expression }}`.
pub(super) fn single_expression(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_single = text.starts_with("{{") && closing(text) == text.len();
    let inside = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inside = inside.strip_prefix('-').unwrap_or(inside);
    is_single.then(|| inside.strip_suffix('-').unwrap_or(inside))
}

/// Whether the last filter of an expression is `tojson`.
pub(super) fn ends_as_json(expression: &str) -> bool {
    let tokens: Vec<&str> = tokens(expression).map(|token| token.text).collect();
    let filter = tokens.strip_suffix(&["(", ")"]).unwrap_or(&tokens);
    matches!(filter, [.., "|", "tojson" | "to_json"])
}

/// Whether a use of `path` is one that needs no value: `path is defined`, `path | default(…)`.
pub(super) fn is_optional(tokens: &[Token<'_>], path: &str) -> bool {
    after_path(tokens, path).any(|rest| {
        let words: Vec<&str> = rest.iter().take(3).map(|token| token.text).collect();
        matches!(
            words[..],
            ["is", "defined" | "undefined", ..]
                | ["is", "not", "defined" | "undefined"]
                | ["|", "default", ..]
                | ["|", "d", "("]
        )
    })
}
