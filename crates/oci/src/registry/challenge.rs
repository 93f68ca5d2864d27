//! Parses the header `WWW-Authenticate` (RFC 9110, 11.6.1), with which a registry requires a sign-in.
//!
//! A header may contain several challenges. A comma separates challenges as well as their parameters, and may also be
//! part of a quoted value: `scope="repository:a/b:pull,push"`.

use std::collections::BTreeMap;

/// A way to sign in that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme in lowercase: `basic`, `bearer`, or others, which are not used.
    pub(super) scheme: String,
    /// Parameters by lowercase name: `realm`, `service`, `scope`.
    pub(super) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Returns the value of a parameter; `None` when it is missing.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// Returns the challenges in a header; text that is not a challenge is skipped.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start_matches(is_gap);
    while !rest.is_empty() {
        let end = rest.find(|byte: char| !is_word(byte));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() {
            // Neither word, comma nor space: no challenge begins with it.
            rest = skip_one(rest);
        } else if let Some((value, after)) = value(after) {
            if let Some(challenge) = challenges.last_mut() {
                challenge
                    .parameters
                    .insert(word.to_ascii_lowercase(), value);
            }
            rest = after;
        } else {
            challenges.push(Challenge {
                scheme: word.to_ascii_lowercase(),
                parameters: BTreeMap::new(),
            });
            rest = after;
        }
        rest = rest.trim_start_matches(is_gap);
    }
    challenges
}

/// Parses `= value` or `= "quoted \" value"`, and returns the value and the text after it; `None` when there is no
/// value.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start().strip_prefix('=')?.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|byte: char| !is_word(byte)).unwrap_or(text.len());
        let (word, after) = text.split_at(end);
        return (!word.is_empty()).then(|| (word.to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    // The closing quote is missing: the rest of the header is the value.
    Some((value, ""))
}

fn is_gap(letter: char) -> bool {
    letter == ',' || letter.is_ascii_whitespace()
}

/// Returns whether a character may be part of a token (RFC 9110, 5.6.2). Also accepts `:` and `/`, since some
/// registries send URLs without quotes.
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(letter)
}

fn skip_one(text: &str) -> &str {
    let mut letters = text.chars();
    letters.next();
    letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let shown =
            |challenge: Challenge| format!("{} {:?}", challenge.scheme, challenge.parameters);
        parse(header).into_iter().map(shown).collect()
    }

    #[test]
    fn commas_in_quotes_do_not_separate() {
        let header = r#"Bearer realm="https://auth.example/token",service="registry, mine",scope="repository:o/n:pull,push""#;
        insta::assert_snapshot!(shown(header).join("\n"), @r#"bearer {"realm": "https://auth.example/token", "scope": "repository:o/n:pull,push", "service": "registry, mine"}"#);
    }

    #[test]
    fn several_challenges_in_one_header_are_separated() {
        let header = r#"Negotiate, NTLM TlRM==, Basic realm = "a \"b\", c" , charset=UTF-8,BEARER realm=https://x/t,scope="p,q""#;
        insta::assert_snapshot!(shown(header).join("\n"), @r#"
        negotiate {}
        ntlm {}
        tlrm {}
        basic {"charset": "UTF-8", "realm": "a \"b\", c"}
        bearer {"realm": "https://x/t", "scope": "p,q"}
        "#);
    }

    #[test]
    fn invalid_headers_neither_panic_nor_hang() {
        for header in [
            "",
            ",,,",
            "=",
            "\"",
            "Bearer realm=\"cut",
            "é=\"ü\" x",
            "Bearer ===",
            "a=b",
        ] {
            assert!(parse(header).len() <= 2, "{header}");
        }
        assert_eq!(
            parse("Bearer realm=\"cut")[0].parameter("realm"),
            Some("cut")
        );
    }
}
