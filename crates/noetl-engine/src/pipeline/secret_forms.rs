//! The forms in which a secret can be written: in URLs, in JSON, in HTML, in base64, base32 and hexadecimal, in upper and
//! lower case, reversed, wrapped over several lines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Returns how many bytes at the beginning of `text` stand for `byte`: as it is, encoded as in a URL or form, or
/// escaped as in JSON. Returns none when they stand for something else.
pub(super) fn matched_length(text: &[u8], byte: u8) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    if *first == byte && !matches!(byte, b'\\' | b'&') {
        return Some(1);
    }
    let hexadecimal = |digits: Option<&[u8]>| {
        let digits = std::str::from_utf8(digits?).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    match (first, rest.first()) {
        (b'%', _) if hexadecimal(rest.get(..2)) == Some(byte) => Some(3),
        (b'+', _) if byte == b' ' => Some(1),
        (b'&', _) => entity_length(text, byte).or_else(|| (byte == b'&').then_some(1)),
        (b'\\', Some(b'u'))
            if rest.get(1..3) == Some(b"00") && hexadecimal(rest.get(3..5)) == Some(byte) =>
        {
            Some(6)
        }
        (b'\\', Some(b'n')) if byte == b'\n' => Some(2),
        (b'\\', Some(b'r')) if byte == b'\r' => Some(2),
        (b'\\', Some(b't')) if byte == b'\t' => Some(2),
        (b'\\', Some(next)) if *next == byte && byte.is_ascii_punctuation() => Some(2),
        (b'\\', _) if byte == b'\\' => Some(1),
        _ => None,
    }
}

/// Returns the length of the entity of HTML with which a text begins, when it stands for `byte`.
fn entity_length(text: &[u8], byte: u8) -> Option<usize> {
    // The longest is `&quot;`, or a number with leading zeros.
    let end = text.iter().take(10).position(|next| *next == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let number = name.strip_prefix('#');
    let meant = match name {
        "amp" => b'&',
        "lt" => b'<',
        "gt" => b'>',
        "quot" => b'"',
        "apos" => b'\'',
        _ => match number?.strip_prefix(['x', 'X']) {
            Some(digits) => u8::from_str_radix(digits, 16).ok()?,
            None => number?.parse().ok()?,
        },
    };
    (meant == byte).then_some(end + 1)
}

/// Returns other ways to write a secret, of which none is looked for by [`matched_length`].
pub(super) fn other_forms(secret: &str) -> Vec<String> {
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        secret.to_uppercase(),
        secret.to_lowercase(),
        secret.chars().rev().collect(),
        hexadecimal.to_uppercase(),
        hexadecimal,
    ];
    forms.extend(base64_forms(secret));
    forms.extend(base32_forms(secret));
    if !secret.is_ascii() {
        forms.push(ascii_escaped(secret));
    }
    forms.retain(|form| form != secret);
    forms
}

/// As [`base64_forms`], in base32 of upper and lower case.
fn base32_forms(secret: &str) -> Vec<String> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut forms = Vec::new();
    for before in 0..5 {
        let bytes = [&[0; 5][..before], secret.as_bytes()].concat();
        let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        // A letter holds five bits; letters that hold bits of the neighbouring text are left out.
        let (first, end) = ((before * 8).div_ceil(5), bytes.len() * 8 / 5);
        let letter = |position: usize| {
            let bits = (position * 5..position * 5 + 5).fold(0, |sum, at| sum << 1 | bit(at));
            char::from(LETTERS[usize::from(bits)])
        };
        let form: String = (first..end).map(letter).collect();
        forms.push(form.to_lowercase());
        forms.push(form);
    }
    forms
}

/// Returns the texts of which one is part of the base64 of every text that contains the secret.
fn base64_forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], secret.as_bytes()].concat();
        // A letter holds six bits; letters that hold bits of the neighbouring text are left out.
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            forms.push(encoded[first..end].to_owned());
        }
    }
    forms
}

/// Returns the length of the line end at which a long text was wrapped; 0 when the secret itself has a line
/// end there.
pub(super) fn wrap_length(text: &[u8], byte: u8) -> usize {
    let ends: [&[u8]; 3] = [b"\n", b"\r\n", b"\\n"];
    let found = ends.into_iter().find(|end| text.starts_with(end));
    found.map_or(0, |end| {
        if matches!(byte, b'\n' | b'\r' | b'\\') {
            0
        } else {
            end.len()
        }
    })
}

/// Returns a text with the escapes of JSON in ASCII, which Python's `json` writes.
fn ascii_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\u{unit:04x}")),
        }
    }
    escaped
}
