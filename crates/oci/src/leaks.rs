//! Looks for credentials in the content of files while it passes by: private keys and tokens.
//!
//! Names alone say little: `cacert.pem` holds no key. What counts is the content.

use memchr::memmem::{self, Finder};

/// The least base64 of a private key: that of an Ed25519 one.
const SHORTEST_KEY: usize = 64;

/// The longest block of a private key in bytes: RSA with 16,384 bits fits.
const LONGEST_KEY: usize = 32 * 1024;

/// How many bytes before a mark decide whether it counts: `-----BEGIN` of a key, a letter before a token.
const BEFORE: usize = 64;

/// How many bytes after the beginning of a mark decide it.
const AFTER: usize = LONGEST_KEY + BEFORE;

/// How much is searched at once.
const WINDOW: usize = 1 << 20;

/// A kind of token.
struct Token {
    /// What it begins with.
    mark: &'static str,
    /// Which bytes the rest is made of.
    is_part: fn(u8) -> bool,
    /// The least length of the rest.
    length: usize,
}

const TOKENS: &[Token] = &[
    token("AKIA", is_upper_or_digit, 16),
    token("ASIA", is_upper_or_digit, 16),
    token("gho_", is_letter_or_digit, 36),
    token("ghp_", is_letter_or_digit, 36),
    token("ghs_", is_letter_or_digit, 36),
    token("ghu_", is_letter_or_digit, 36),
    token("github_pat_", is_word, 60),
    token("glpat-", is_word, 20),
    token("npm_", is_letter_or_digit, 36),
    token("sk_live_", is_letter_or_digit, 24),
    token("xoxb-", is_word, 40),
];

const fn token(mark: &'static str, is_part: fn(u8) -> bool, length: usize) -> Token {
    Token {
        mark,
        is_part,
        length,
    }
}

/// What the content of a file gives away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaks {
    /// The kind of the first private key, such as `EC PRIVATE KEY`.
    pub private_key: Option<String>,
    /// What the first token begins with.
    pub token: Option<&'static str>,
    /// Whether the text `"auths"` is in it, which a registry's config.json has.
    pub has_auths: bool,
    /// Whether the text `"mappings"` is in it, which a source map has.
    pub has_mappings: bool,
}

/// The search patterns, made once for many files.
#[derive(Debug)]
pub(crate) struct Patterns {
    key: Finder<'static>,
    tokens: Vec<Finder<'static>>,
    auths: Finder<'static>,
    mappings: Finder<'static>,
}

impl Default for Patterns {
    fn default() -> Self {
        Self {
            key: Finder::new("PRIVATE KEY-----"),
            tokens: TOKENS.iter().map(|token| Finder::new(token.mark)).collect(),
            auths: Finder::new("\"auths\""),
            mappings: Finder::new("\"mappings\""),
        }
    }
}

/// Searches one file, piece by piece.
pub(crate) struct Search<'p> {
    patterns: &'p Patterns,
    window: Vec<u8>,
    /// How much of the window has been searched already and only stands before what is new.
    searched: usize,
    leaks: Leaks,
}

impl<'p> Search<'p> {
    pub(crate) fn new(patterns: &'p Patterns) -> Self {
        Self {
            patterns,
            window: Vec::new(),
            searched: 0,
            leaks: Leaks::default(),
        }
    }

    /// Adds the next bytes of the file.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.window.extend_from_slice(bytes);
        if self.window.len() >= WINDOW {
            let decided = self.window.len() - AFTER;
            self.search(decided);
            let behind = decided - BEFORE.min(decided);
            self.window.drain(..behind);
            self.searched = decided - behind;
        }
    }

    /// Returns what was found once the whole file has been seen.
    pub(crate) fn finish(mut self) -> Option<Leaks> {
        self.search(self.window.len());
        (self.leaks != Leaks::default()).then_some(self.leaks)
    }

    /// Searches for marks that begin between what was searched and `end`.
    fn search(&mut self, end: usize) {
        let range = self.searched..end;
        let starts = |at: &usize| range.contains(at);
        let window = self.window.as_slice();
        let Patterns {
            key,
            tokens,
            auths,
            mappings,
        } = self.patterns;
        let first = |finder: &Finder<'_>| finder.find_iter(window).any(|at| starts(&at));
        self.leaks.has_auths |= first(auths);
        self.leaks.has_mappings |= first(mappings);
        if self.leaks.private_key.is_none() {
            let mut marks = key.find_iter(window).filter(starts);
            self.leaks.private_key = marks.find_map(|at| private_key(window, at));
        }
        if self.leaks.token.is_none() {
            let found = TOKENS.iter().zip(tokens).find(|(token, finder)| {
                let mut marks = finder.find_iter(window).filter(starts);
                marks.any(|at| is_token(window, at, token))
            });
            self.leaks.token = found.map(|(token, _)| token.mark);
        }
    }
}

/// Whether the mark at `at` begins a token.
fn is_token(window: &[u8], at: usize, token: &Token) -> bool {
    let rest = &window[at + token.mark.len()..];
    let body = rest.iter().take_while(|byte| (token.is_part)(**byte));
    // Vendors write EXAMPLE into the tokens of their manuals.
    let example = rest
        .get(..token.length)
        .is_some_and(|body| body.ends_with(b"EXAMPLE"));
    let word_before = at > 0 && is_word(window[at - 1]);
    body.take(token.length).count() >= token.length && !example && !word_before
}

/// Returns the words of the PEM block whose `PRIVATE KEY-----` is at `at`, when it holds a key: a program
/// that reads keys holds the marks alone.
///
/// Lines end with or without a carriage return, or with `\n` spelled out, as in the JSON of a service account.
/// Headers such as `Proc-Type: 4,ENCRYPTED` (RFC 1421) may stand before the body.
fn private_key(window: &[u8], at: usize) -> Option<String> {
    let line = &window[at.saturating_sub(40)..at];
    let begin = memmem::rfind(line, b"-----BEGIN ")?;
    let words = String::from_utf8_lossy(&line[begin + b"-----BEGIN ".len()..]);
    let block = &window[at + b"PRIVATE KEY-----".len()..];
    let end = memmem::find(&block[..block.len().min(LONGEST_KEY)], b"-----END ")?;
    let text = std::str::from_utf8(&block[..end])
        .ok()?
        .replace("\\n", "\n");
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.contains(": "));
    let is_body = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let body: String = lines.collect();
    let is_key = body.len() >= SHORTEST_KEY && body.bytes().all(is_body);
    is_key.then(|| format!("{words}PRIVATE KEY"))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_letter_or_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\nabcdefghijklmnopqrstuvwxyz012345\n";

    fn leaks(content: &[u8], piece: usize) -> Leaks {
        let patterns = Patterns::default();
        let mut search = Search::new(&patterns);
        content.chunks(piece).for_each(|piece| search.feed(piece));
        search.finish().unwrap_or_default()
    }

    fn key_in(content: &[u8]) -> Option<String> {
        leaks(content, 4096).private_key
    }

    #[test]
    fn a_key_is_known_by_its_body() {
        let key = format!("-----BEGIN EC PRIVATE KEY-----\n{BODY}-----END EC PRIVATE KEY-----\n");
        assert_eq!(key_in(key.as_bytes()).unwrap(), "EC PRIVATE KEY");
        let headers = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
        for other in [
            key.replace('\n', "\r\n"),
            key.replacen("KEY-----\n", headers, 1),
            format!("{{\"private_key\": \"{}\"}}", key.replace('\n', "\\n")),
        ] {
            assert_eq!(key_in(other.as_bytes()).unwrap(), "EC PRIVATE KEY");
        }
        let program = b"\0-----BEGIN PRIVATE KEY-----\n\0-----END PRIVATE KEY-----";
        assert_eq!(key_in(program), None);
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{BODY}-----END CERTIFICATE-----\n");
        assert_eq!(key_in(certificate.as_bytes()), None);
    }

    #[test]
    fn a_token_is_known_by_its_length_and_its_place() {
        let found = |text: &str| leaks(text.as_bytes(), 7).token;
        // Put together here, so that no scanner takes this file for a leak.
        let token = format!("{}_{}", "ghp", "0a".repeat(18));
        assert_eq!(found(&token).unwrap(), "ghp_");
        let key = format!("key={}{}", "AKIA", "Z9".repeat(8));
        assert_eq!(found(&key).unwrap(), "AKIA");
        for harmless in [
            format!("x{token}"),
            token[..20].to_owned(),
            format!("{}IOSFODNN7EXAMPLE", "AKIA"),
            "npm_config_registry_of_another_host_is_not_one".to_owned(),
        ] {
            assert_eq!(found(&harmless), None, "{harmless}");
        }
    }

    #[test]
    fn a_leak_is_found_wherever_pieces_and_windows_end() {
        let key = format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----\n");
        let token = format!("{}_{}", "ghp", "0a".repeat(18));
        for at in [
            0,
            WINDOW - AFTER,
            WINDOW - 60,
            WINDOW,
            2 * WINDOW - AFTER + 3,
        ] {
            for leak in [&key, &token] {
                let mut content = vec![b' '; 3 * WINDOW];
                content[at..at + leak.len()].copy_from_slice(leak.as_bytes());
                let found = leaks(&content, 65_536);
                let is_key = leak == &key;
                assert_eq!(found.private_key.is_some(), is_key, "{at}");
                assert_eq!(found.token.is_some(), !is_key, "{at}");
            }
        }
    }
}
