//! F9: files and texts that nobody meant to publish. Every layer is looked at: what a later one
//! removes can still be pulled.
//!
//! Names alone accuse little: `cacert.pem` holds no key, so what counts is the content.

use memchr::memmem::{self, Finder};

use crate::binary;
use crate::check::Findings;
use crate::check::tarfile::{self, Record};
use crate::check::walk::{Image, Layer, Origin};

/// Names of files that hold credentials and nothing else.
const NAMES: &[&str] = &[
    ".env",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
];

/// How much base64 a key has at least: an Ed25519 one.
const SHORTEST_KEY: usize = 64;
/// How long the block of a key is at most, in bytes: RSA with 16,384 bits fits.
const LONGEST_KEY: usize = 32 * 1024;

/// A kind of token.
struct Token {
    /// How it begins.
    mark: &'static str,
    /// What the rest is made of.
    is_part: fn(u8) -> bool,
    /// How long the rest is at least.
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

pub(super) fn check(image: &Image, findings: &mut Findings) {
    let finders: Vec<_> = TOKENS.iter().map(|token| Finder::new(token.mark)).collect();
    for (position, layer) in image.layers.iter().enumerate() {
        let Some(Ok(records)) = layer.tar.as_deref().map(tarfile::records) else {
            continue;
        };
        let name = image.layer_name(position);
        for record in records.iter().filter(|record| !record.is_extension()) {
            let path = record.path();
            if let Some(what) =
                named(&path, record, layer).or_else(|| held(record, layer, &finders))
            {
                findings.add("F9", format!("{name} {path}"), what);
            }
        }
    }
}

/// What a name gives away, with the content where the name alone does not.
fn named(path: &str, record: &Record<'_>, layer: &Layer) -> Option<String> {
    let plain = path.trim_end_matches('/');
    let name = plain.rsplit('/').next().unwrap_or_default();
    let has = |text: &str| memmem::find(record.content, text.as_bytes()).is_some();
    if NAMES.contains(&name) || name.starts_with(".env.") {
        return Some("a file for credentials".to_owned());
    }
    if plain.split('/').any(|part| part == ".git") {
        return Some("part of a git repository".to_owned());
    }
    if name == "config.json" && has("\"auths\"") {
        return Some("a registry's credentials".to_owned());
    }
    // A policy for what we make; Python packages ship their own web pages with maps.
    let ours = layer.origin == Origin::Ours;
    if ours && name.ends_with(".map") && has("\"mappings\"") {
        return Some("a source map, which holds the sources".to_owned());
    }
    None
}

/// What the content gives away.
fn held(record: &Record<'_>, layer: &Layer, finders: &[Finder<'_>]) -> Option<String> {
    if let Some(kind) = key(record.content, &layer.origin) {
        return Some(format!("a private key ({kind})"));
    }
    let mark = token_in(record.content, finders)?;
    Some(format!("a token that begins with {mark}"))
}

/// The kind of the private key in a file.
///
/// A distribution's cryptography carries the keys of its own self-tests, as libgnutls does:
/// in a base, a key that is compiled into a program is not a secret of the image's maker.
fn key(content: &[u8], origin: &Origin) -> Option<String> {
    let theirs = *origin != Origin::Ours;
    if theirs && binary::is_elf(content) {
        return None;
    }
    private_key(content)
}

/// How the first token in a file begins.
fn token_in(content: &[u8], finders: &[Finder<'_>]) -> Option<&'static str> {
    TOKENS.iter().zip(finders).find_map(|(token, finder)| {
        let held = finder.find_iter(content).any(|at| {
            let rest = &content[at + token.mark.len()..];
            let body = rest.iter().take_while(|byte| (token.is_part)(**byte));
            // Vendors write EXAMPLE into the tokens of their manuals.
            let example = rest
                .get(..token.length)
                .is_some_and(|body| body.ends_with(b"EXAMPLE"));
            let word_before = at > 0 && is_word(content[at - 1]);
            body.count() >= token.length && !example && !word_before
        });
        held.then_some(token.mark)
    })
}

/// The words of the first PEM block that holds a key: a program that reads keys holds only the marks.
///
/// Lines end with or without a carriage return, or with `\n` spelled out, as in the JSON of a service account.
/// Headers such as `Proc-Type: 4,ENCRYPTED` (RFC 1421) may stand before the body.
fn private_key(bytes: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    memmem::find_iter(bytes, MARK).find_map(|at| {
        let line = &bytes[at.saturating_sub(40)..at];
        let begin = memmem::rfind(line, b"-----BEGIN ")?;
        let words = String::from_utf8_lossy(&line[begin + b"-----BEGIN ".len()..]);
        let block = &bytes[at + MARK.len()..];
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
    })
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
    use crate::ustar::{self, Entry};

    #[test]
    fn a_key_is_one_by_its_body() {
        let body =
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\nabcdefghijklmnopqrstuvwxyz012345\n";
        let key = format!("-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n");
        assert_eq!(private_key(key.as_bytes()).unwrap(), "EC PRIVATE KEY");
        let headers = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
        for other in [
            key.replace('\n', "\r\n"),
            key.replacen("KEY-----\n", headers, 1),
            format!("{{\"private_key\": \"{}\"}}", key.replace('\n', "\\n")),
        ] {
            assert_eq!(private_key(other.as_bytes()).unwrap(), "EC PRIVATE KEY");
        }
        let compiled = [b"\x7fELF\x02\x01\x01", key.as_bytes()].concat();
        let theirs = Origin::Base("sha256:base".to_owned());
        assert_eq!(super::key(&compiled, &theirs), None);
        assert!(super::key(&compiled, &Origin::Ours).is_some());
        assert!(super::key(key.as_bytes(), &theirs).is_some());
        let program = b"\0-----BEGIN PRIVATE KEY-----\n\0-----END PRIVATE KEY-----";
        assert_eq!(private_key(program), None);
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n");
        assert_eq!(private_key(certificate.as_bytes()), None);
    }

    #[test]
    fn a_token_is_one_by_its_length_and_its_place() {
        let finders: Vec<_> = TOKENS.iter().map(|token| Finder::new(token.mark)).collect();
        let found = |text: &str| {
            let entry = Entry::file("notes", 0o644, text);
            let tar = ustar::write(&[entry], 0).unwrap();
            token_in(tarfile::records(&tar).unwrap()[0].content, &finders)
        };
        // Put together here, so that no scanner takes this file for a leak.
        let token = format!("{}_{}", "ghp", "0a".repeat(18));
        assert_eq!(found(&token).unwrap(), "ghp_");
        let key = format!("key={}{}", "AKIA", "Z9".repeat(8));
        assert_eq!(found(&key).unwrap(), "AKIA");
        for harmless in [
            format!("x{token}"),
            token[..20].to_owned(),
            format!("{}IOSFODNN7EXAMPLE", "AKIA"),
            "npm_config_registry_of_somebody_else_is_not_one".to_owned(),
        ] {
            assert_eq!(found(&harmless), None, "{harmless}");
        }
    }
}
