//! Filters and tests by name: one that does not exist is found before anything runs.

use minijinja::{Environment, ErrorKind};

use super::{STRICT, SyntaxError, source};

/// Whether every filter and test that a template names exists.
///
/// # Errors
/// The first one that does not, with its line.
pub(super) fn check(template: &str) -> Result<(), SyntaxError> {
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let here = &rest[start..];
        let line = 1 + template[..template.len() - here.len()]
            .matches('\n')
            .count();
        let end = match here.as_bytes().get(1) {
            Some(b'{' | b'%') => source::closing(here),
            Some(b'#') => here.find("#}").map_or(here.len(), |end| end + 2),
            _ => 1,
        };
        let segment = &here[..end];
        if segment.starts_with("{%") && words(segment).next() == Some("raw") {
            rest = here.find("endraw").map_or("", |end| &here[end..]);
            continue;
        }
        if end > 2 && !segment.starts_with("{#") {
            expression(&segment[2..], line)?;
        }
        rest = &here[end..];
    }
    Ok(())
}

/// The same for an expression without its braces, the first line of which has that number.
pub(super) fn expression(text: &str, line: usize) -> Result<(), SyntaxError> {
    let mut before = ["", ""];
    let mut lines = line;
    for word in words(text) {
        let (noun, missing) = match before {
            [_, "|"] => ("filter", ErrorKind::UnknownFilter),
            ["is", "not"] | [_, "is"] if word != "not" => ("test", ErrorKind::UnknownTest),
            _ => ("", ErrorKind::SyntaxError),
        };
        let is_name = word.starts_with(|first: char| first == '_' || first.is_alphabetic());
        if !noun.is_empty() && is_name && !exists(&STRICT, noun, word, missing) {
            return Err(SyntaxError {
                line: lines,
                message: format!("there is no {noun} `{word}`"),
            });
        }
        if word == "\n" {
            lines += 1;
        } else {
            before = [before[1], word];
        }
    }
    Ok(())
}

fn exists(environment: &Environment<'_>, noun: &str, name: &str, missing: ErrorKind) -> bool {
    let probe = match noun {
        "filter" => format!("none|{name}"),
        _ => format!("none is {name}"),
    };
    let tried = environment
        .compile_expression(&probe)
        .and_then(|probe| probe.eval(()));
    tried.err().is_none_or(|error| error.kind() != missing)
}

/// Names, operators of one character and line ends, in order; texts in quotes are left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([' ', '\t', '\r']);
            let first = rest.chars().next()?;
            if matches!(first, '\'' | '"') {
                let mut escaped = false;
                let end = rest[1..].find(|next: char| {
                    let ends = next == first && !escaped;
                    escaped = next == '\\' && !escaped;
                    ends
                });
                rest = end.map_or("", |end| &rest[end + 2..]);
                return Some("''");
            }
            let is_word = |next: char| next == '_' || next.is_alphanumeric();
            let end = match rest.find(|next| !is_word(next)) {
                Some(0) => first.len_utf8(),
                Some(end) => end,
                None => rest.len(),
            };
            let (word, after) = rest.split_at(end);
            rest = after;
            // What opens and closes a tag.
            if !matches!(word, "%" | "-" | "{" | "}") {
                return Some(word);
            }
        }
    })
}
