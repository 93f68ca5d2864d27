//! The operands of `~`: minijinja writes a list or mapping into the text before it counts the bytes, so that a list that
//! holds the same value many times takes more than the memory of a machine. Each operand gets a filter that counts them.

use super::token::{Token, tokens};

/// The filter that turns an operand into text.
pub(super) const FILTER: &str = "operand_text";

/// Replaces `a ~ b` by `(a)|operand_text ~ (b)|operand_text` in the code of an expression or block.
pub(super) fn with_filtered_operands(code: &str) -> String {
    let tokens: Vec<Token<'_>> = tokens(code).collect();
    let mut opened = vec![0_usize; tokens.len() + 1];
    let mut closed = vec![0_usize; tokens.len() + 1];
    for (position, _) in tokens.iter().enumerate().filter(|(_, it)| it.text == "~") {
        let left = operand_start(&tokens, position);
        if left < position {
            opened[left] += 1;
            closed[position - 1] += 1;
        }
        // An operand between two signs is the left one of the second.
        let right_end = operand_end(&tokens, position + 1);
        if tokens.get(right_end).is_none_or(|next| next.text != "~") && right_end > position + 1 {
            opened[position + 1] += 1;
            closed[right_end - 1] += 1;
        }
    }
    let mut out = String::with_capacity(code.len() + 32);
    let mut copied = 0;
    for (position, token) in tokens.iter().enumerate() {
        out.push_str(&code[copied..token.start]);
        out.extend(std::iter::repeat_n('(', opened[position]));
        out.push_str(token.text);
        for _ in 0..closed[position] {
            out.push_str(")|");
            out.push_str(FILTER);
        }
        copied = token.start + token.text.len();
    }
    out.push_str(&code[copied..]);
    out
}

/// Returns the first token of the operand before the `~` at `sign`.
fn operand_start(tokens: &[Token<'_>], sign: usize) -> usize {
    let mut depth = 0_usize;
    let mut start = sign;
    while start > 0 {
        match tokens[start - 1].text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => break,
            "(" | "[" | "{" => depth -= 1,
            _ if depth == 0 && is_boundary(tokens, start - 1) => break,
            _ => {}
        }
        start -= 1;
    }
    start
}

/// Returns the token after the operand that begins at `start`.
fn operand_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut end = start;
    while let Some(token) = tokens.get(end) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => break,
            ")" | "]" | "}" => depth -= 1,
            // The braces of the segment.
            "%" if depth == 0 && tokens.get(end + 1).is_some_and(|next| next.text == "}") => break,
            _ if depth == 0 && is_boundary(tokens, end) => break,
            _ => {}
        }
        end += 1;
    }
    end
}

/// Whether a token binds less tightly than `~`, or separates expressions.
fn is_boundary(tokens: &[Token<'_>], position: usize) -> bool {
    const WORDS: [&str; 10] = [
        "and",
        "or",
        "in",
        "if",
        "else",
        "elif",
        "for",
        "set",
        "recursive",
        "with",
    ];
    let before = position.checked_sub(1).map(|before| tokens[before].text);
    match tokens[position].text {
        "~" | "," | ":" | "=" | "<" | ">" | "!" => true,
        // `-a` belongs to the operand; in `a - b` the sign comes after a value, and in `{{- a }}` after the braces.
        "-" | "+" => before.is_some_and(is_value_end) || position == 2 && tokens[0].text == "{",
        "not" => before != Some("is"),
        word => before != Some(".") && WORDS.contains(&word),
    }
}

/// Whether an operand may end with a token.
fn is_value_end(text: &str) -> bool {
    text.ends_with(|last: char| last == '_' || last.is_alphanumeric())
        || text.ends_with([')', ']', '}', '\'', '"'])
}

#[cfg(test)]
mod tests {
    use super::with_filtered_operands;

    #[test]
    fn operands_get_the_filter() {
        let filtered = |code: &str| with_filtered_operands(code).replace("|operand_text", "|t");
        for (code, expected) in [
            ("a ~ b", "(a)|t ~ (b)|t"),
            ("a ~ b ~ c", "(a)|t ~ (b)|t ~ (c)|t"),
            ("{{ a.b[1] ~ 'x' }}", "{{ (a.b[1])|t ~ ('x')|t }}"),
            ("{{- a ~ b -}}", "{{- (a)|t ~ (b)|t -}}"),
            ("{%- set x = -a ~ b -%}", "{%- set x = (-a)|t ~ (b)|t -%}"),
            ("a + b ~ c * d == e", "a + (b)|t ~ (c * d)|t == e"),
            ("-a ~ -b", "(-a)|t ~ (-b)|t"),
            ("a - b ~ c - d", "a - (b)|t ~ (c)|t - d"),
            (
                "x if not a ~ b else c ~ d",
                "x if not (a)|t ~ (b)|t else (c)|t ~ (d)|t",
            ),
            ("f(a ~ b, c=d ~ e)", "f((a)|t ~ (b)|t, c=(d)|t ~ (e)|t)"),
            ("{'k': a ~ b}", "{'k': (a)|t ~ (b)|t}"),
            (
                "a|upper ~ b|join(c ~ d)",
                "(a|upper)|t ~ (b|join((c)|t ~ (d)|t))|t",
            ),
            ("{% set x = a ~ b %}", "{% set x = (a)|t ~ (b)|t %}"),
            ("{% if a ~ b in c %}", "{% if (a)|t ~ (b)|t in c %}"),
            ("{% for i in a ~ b %}", "{% for i in (a)|t ~ (b)|t %}"),
            ("'~' ~ a.in", "('~')|t ~ (a.in)|t"),
            ("{{ ~ }}", "{{ ~ }}"),
            ("~", "~"),
            ("a is not none ~ b", "(a is not none)|t ~ (b)|t"),
        ] {
            assert_eq!(filtered(code), expected);
        }
    }
}
