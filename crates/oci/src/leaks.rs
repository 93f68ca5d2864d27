//! Searches the content of files for credentials, as a stream: private keys and tokens.
//!
//! Names are not enough: `cacert.pem` contains no key.

use aho_corasick::packed::Searcher;
use memchr::memmem;

/// The shortest base64 of a private key, that of Ed25519, in bytes.
const SHORTEST_KEY: usize = 64;

/// The longest block of a private key in bytes: RSA with 16,384 bits fits.
const LONGEST_KEY: usize = 32 * 1024;

/// How many bytes before a mark are needed: `-----BEGIN` before a key, the letter before a token.
const BEFORE: usize = 64;

/// How many bytes from the beginning of a mark are needed.
const AFTER: usize = LONGEST_KEY + BEFORE;

/// How much is searched at once, in bytes.
const WINDOW: usize = 1 << 20;

/// A kind of token.
#[derive(Debug)]
struct Token {
    /// The text that it begins with.
    mark: &'static str,
    /// Whether a byte may be part of the rest.
    is_part: fn(u8) -> bool,
    /// The shortest length of the rest in bytes.
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

/// What was found in the content of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaks {
    /// The kind of the first private key, such as `EC PRIVATE KEY`.
    pub private_key: Option<String>,
    /// The text that the first token begins with, such as `ghp_`.
    pub token: Option<&'static str>,
    /// Whether it contains `"auths"`, as docker's config.json does.
    pub has_auths: bool,
    /// Whether it contains `"mappings"`, as a source map does.
    pub has_mappings: bool,
}

/// What a mark may be the beginning of.
#[derive(Debug, Clone, Copy)]
enum Mark {
    PrivateKey,
    Token(&'static Token),
    Auths,
    Mappings,
}

impl Mark {
    fn all() -> Vec<Self> {
        let tokens = TOKENS.iter().map(Self::Token);
        let others = [Self::PrivateKey, Self::Auths, Self::Mappings];
        others.into_iter().chain(tokens).collect()
    }

    fn text(self) -> &'static str {
        match self {
            Self::PrivateKey => "PRIVATE KEY-----",
            Self::Token(token) => token.mark,
            Self::Auths => "\"auths\"",
            Self::Mappings => "\"mappings\"",
        }
    }
}

/// The search patterns, which are made once for all files of a layer. One pass finds all marks.
#[derive(Debug)]
pub(crate) struct Patterns {
    marks: Vec<Mark>,
    searcher: Searcher,
}

impl Default for Patterns {
    fn default() -> Self {
        let marks = Mark::all();
        let searcher = Searcher::new(marks.iter().map(|mark| mark.text()));
        Self {
            marks,
            searcher: searcher.expect("a few short texts can be searched for"),
        }
    }
}

/// Searches one file, piece by piece.
pub(crate) struct Search<'p> {
    patterns: &'p Patterns,
    window: Vec<u8>,
    /// How many bytes at the beginning of the window have been searched; they are kept for marks that begin after them.
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

    /// Searches the next bytes of the file.
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

    /// Returns what was found in the whole file; `None` when nothing was.
    pub(crate) fn finish(mut self) -> Option<Leaks> {
        self.search(self.window.len());
        (self.leaks != Leaks::default()).then_some(self.leaks)
    }

    /// Searches for marks that begin after the bytes that were searched and before `end`.
    fn search(&mut self, end: usize) {
        let Patterns { marks, searcher } = self.patterns;
        let window = self.window.as_slice();
        let mut from = self.searched;
        while let Some(found) = searcher.find_in(window, (from..window.len()).into())
            && found.start() < end
        {
            let at = found.start();
            match marks[found.pattern().as_usize()] {
                Mark::Auths => self.leaks.has_auths = true,
                Mark::Mappings => self.leaks.has_mappings = true,
                Mark::PrivateKey if self.leaks.private_key.is_none() => {
                    self.leaks.private_key = private_key(window, at);
                }
                Mark::Token(token) if self.leaks.token.is_none() => {
                    let is_token = is_token(window, at, token);
                    self.leaks.token = is_token.then_some(token.mark);
                }
                Mark::PrivateKey | Mark::Token(_) => {}
            }
            // Marks may overlap.
            from = at + 1;
        }
    }
}

/// Returns whether the mark at `at` is the beginning of a token.
fn is_token(window: &[u8], at: usize, token: &Token) -> bool {
    let rest = &window[at + token.mark.len()..];
    let body = rest.iter().take_while(|byte| (token.is_part)(**byte));
    // Vendors end the tokens in their manuals with EXAMPLE.
    let example = rest
        .get(..token.length)
        .is_some_and(|body| body.ends_with(b"EXAMPLE"));
    let word_before = at > 0 && is_word(window[at - 1]);
    body.take(token.length).count() >= token.length && !example && !word_before
}

/// Returns the label of the PEM block (RFC 7468) whose `PRIVATE KEY-----` is at `at`, when the block contains a key; a
/// program that reads keys contains only the marks.
///
/// Lines may end with or without a carriage return, or with the two characters `\n`, as in the JSON of a service
/// account. Headers such as `Proc-Type: 4,ENCRYPTED` (RFC 1421) may come before the body.
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
    fn a_key_is_recognized_by_its_body() {
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
    fn a_token_needs_its_length_and_no_word_before_it() {
        let found = |text: &str| leaks(text.as_bytes(), 7).token;
        // Joined here, so that scanners do not report this file.
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
    fn marks_that_overlap_are_all_seen() {
        let token = format!("{}{}", "ASIA", "Z9".repeat(8));
        let text = format!("\"auths\"mappings\" AKI-{token} glpat-npm_");
        let found = leaks(text.as_bytes(), 5);
        assert!(found.has_auths && found.has_mappings, "{found:?}");
        assert_eq!(found.token, None, "a word stands before it");
        let text = text.replace("AKI-", "AKI ");
        assert_eq!(leaks(text.as_bytes(), 5).token.unwrap(), "ASIA");
    }

    #[test]
    fn a_leak_across_pieces_and_windows_is_found() {
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
