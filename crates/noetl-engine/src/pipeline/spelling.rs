//! The ways in which a secret may be spelled: in URLs, in JSON, in base64, over several lines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// How many bytes `text` takes to say `byte`: as it is, in a URL, in a form, or escaped as in JSON.
pub(super) fn spelled(text: &[u8], byte: u8) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    if *first == byte && byte != b'\\' {
        return Some(1);
    }
    let hexadecimal = |digits: Option<&[u8]>| {
        let digits = std::str::from_utf8(digits?).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    match (first, rest.first()) {
        (b'%', _) if hexadecimal(rest.get(..2)) == Some(byte) => Some(3),
        (b'+', _) if byte == b' ' => Some(1),
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

/// What every base64 of a text with the secret in it contains, wherever in the text it stands.
pub(super) fn base64_spellings(secret: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], secret.as_bytes()].concat();
        // Six bits a letter: those that hold bits of what stands beside the secret are left out.
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ] {
            spellings.push(encoded[first..end].to_owned());
        }
    }
    spellings
}

/// The length of a line end at which a long text was wrapped, unless the secret has one there.
pub(super) fn line_end(text: &[u8], byte: u8) -> usize {
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

/// A text as JSON in ASCII has it, which is what Python's `json` writes.
pub(super) fn ascii_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\u{unit:04x}")),
        }
    }
    escaped
}
