//! What stands between a playbook's text and the template engine: text that only looks like a template.

use std::borrow::Cow;

/// Words that begin an action of Go's templates, as `docker --format` and `kubectl -o` take them.
const GO_WORDS: [&str; 8] = [
    "range", "end", "json", "println", "printf", "with", "index", "else",
];

/// The source for the engine: Go templates and shell's `${#name}` stay as they are, and `step.result`
/// works for every result, not only for mappings.
pub(super) fn prepare(text: &str) -> Cow<'_, str> {
    let go = ["{{.", "{{ .", "{{-", "{{range", "{{`", "{{json", ".*"]
        .iter()
        .any(|mark| text.contains(mark));
    let hash = text.contains("{#");
    let results = text.contains(".result") || text.contains(".data") || text.contains(".output");
    if !go && !hash && !results {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let here = &rest[start..];
        if here.starts_with("{{") || here.starts_with("{%") {
            let end = closing(here);
            let segment = &here[..end];
            if go && here.starts_with("{{") && is_go(segment) {
                out.push_str("{% raw %}");
                out.push_str(
                    segment
                        .strip_prefix("{{`")
                        .and_then(|inner| inner.strip_suffix("`}}"))
                        .unwrap_or(segment),
                );
                out.push_str("{% endraw %}");
            } else {
                out.push_str(&unwrap_results(segment));
            }
            rest = &here[end..];
        } else if here.starts_with("{#") && (out.ends_with('$') || !here.contains("#}")) {
            out.push_str("{{ '{#' }}");
            rest = &here[2..];
        } else {
            out.push('{');
            rest = &here[1..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The length of the segment that begins with `{{` or `{%`, strings inside it respected.
pub(super) fn closing(text: &str) -> usize {
    let close: &[u8] = if text.starts_with("{{") { b"}}" } else { b"%}" };
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut depth = 0_usize;
    let mut at = 2;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(bytes[at]),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, _) if bytes[at..].starts_with(close) => return at + 2,
            (None, _) => {}
        }
        at += 1;
    }
    text.len()
}

fn is_go(segment: &str) -> bool {
    let inside = segment.trim_start_matches("{{").trim_end_matches("}}");
    let inside = inside.trim_matches('-').trim();
    let first = inside.split_whitespace().next().unwrap_or_default();
    // `{{`{{.Size}}`}}` is how Go's templates escape themselves; `vars.*` stands in prose.
    inside.starts_with(['.', '$', '`'])
        || inside.ends_with(".*")
        || (GO_WORDS.contains(&first) && (inside.contains(" .") || inside == first))
}

/// `fetch.result.id` becomes `(fetch|result_of('result')).id`: see the filter.
fn unwrap_results(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let bytes = segment.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'\'' || byte == b'"' {
            let end = string_end(bytes, at);
            out.push_str(&segment[at..end]);
            at = end;
        } else if byte == b'_' || byte.is_ascii_alphabetic() {
            let end = word_end(bytes, at);
            let word = &segment[at..end];
            let attribute = out.trim_end().ends_with('.');
            let field = segment[end..]
                .strip_prefix('.')
                .map(|rest| &rest[..word_end(rest.as_bytes(), 0)]);
            match field {
                Some(field @ ("result" | "data" | "output")) if !attribute => {
                    out.push_str(&format!("({word}|result_of('{field}'))"));
                    at = end + 1 + field.len();
                }
                _ => {
                    out.push_str(word);
                    at = end;
                }
            }
        } else {
            let next = segment[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&segment[at..at + next]);
            at += next;
        }
    }
    out
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == bytes[start] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_word = |byte: &u8| *byte == b'_' || byte.is_ascii_alphanumeric();
    start
        + bytes[start..]
            .iter()
            .take_while(|byte| is_word(byte))
            .count()
}

/// The expression, when a text is exactly one `{{ expression }}`.
pub(super) fn single_expression(text: &str) -> Option<&str> {
    let text = text.trim();
    if !text.starts_with("{{")
        || closing(text) != text.len()
        || !text.ends_with("}}")
        || text.len() < 4
    {
        return None;
    }
    let inside = &text[2..text.len() - 2];
    let inside = inside.strip_prefix('-').unwrap_or(inside);
    Some(inside.strip_suffix('-').unwrap_or(inside))
}

/// Whether the last filter of an expression is `tojson`.
pub(super) fn ends_as_json(expression: &str) -> bool {
    expression.rsplit_once('|').is_some_and(|(_, filter)| {
        let filter = filter.trim().trim_end_matches("()");
        filter == "tojson" || filter == "to_json"
    })
}

/// Whether a text asks for `name` only if it is there: `name is defined`, `name | default(…)`.
pub(super) fn is_optional(text: &str, name: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let after = rest[at + name.len()..].trim_start();
        let test = after.strip_prefix("is").map(|after| {
            let after = after.trim_start();
            after.strip_prefix("not").map_or(after, str::trim_start)
        });
        let filter = after.strip_prefix('|').map(str::trim_start);
        let alone = !rest[..at]
            .ends_with(|before: char| before == '_' || before == '.' || before.is_alphanumeric());
        if alone
            && (test
                .is_some_and(|test| test.starts_with("defined") || test.starts_with("undefined"))
                || filter.is_some_and(|filter| {
                    filter.starts_with("default") || filter.starts_with("d(")
                }))
        {
            return true;
        }
        rest = &rest[at + name.len()..];
    }
    false
}
