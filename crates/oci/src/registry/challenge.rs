//! The header `WWW-Authenticate` (RFC 9110, 11.6.1), by which a registry asks for a sign-in.
//!
//! Several challenges may stand in one header, parted by the same comma that parts a challenge's own
//! parameters, and quoted values hold commas as well: `scope="repository:a/b:pull,push"`.

use std::collections::BTreeMap;

/// One way to sign in that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `basic` or `bearer`, in lowercase; others are kept and not used.
    pub(super) scheme: String,
    /// Parameters by lowercase name: `realm`, `service`, `scope`.
    pub(super) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Returns a parameter, when it is there.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// Reads the challenges of one header; what is not a challenge is skipped.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start_matches(is_gap);
    while !rest.is_empty() {
        let end = rest.find(|byte: char| !is_word(byte));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() {
            // Not a word, a comma or a space: nothing that a challenge could begin with.
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

/// Reads `= value` or `= "quoted \" value"`, with what follows it; `None` when no value follows.
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
    // The header was cut off within the quotes: the rest of it is the value.
    Some((value, ""))
}

fn is_gap(letter: char) -> bool {
    letter == ',' || letter.is_ascii_whitespace()
}

/// Letters of a token (RFC 9110, 5.6.2), and `:` and `/`, since some registries leave URLs unquoted.
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
    fn commas_in_quotes_are_no_separators() {
        let header = r#"Bearer realm="https://auth.example/token",service="registry, mine",scope="repository:o/n:pull,push""#;
        insta::assert_snapshot!(shown(header).join("\n"), @r#"bearer {"realm": "https://auth.example/token", "scope": "repository:o/n:pull,push", "service": "registry, mine"}"#);
    }

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
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
    fn rubbish_neither_panics_nor_hangs() {
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
