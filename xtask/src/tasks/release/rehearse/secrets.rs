//! Tokens with values that are easy to find, also encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The tokens of a rehearsal. They must be in no file and no output.
pub(super) const TOKENS: [(&str, &str); 5] = [
    ("GITHUB_TOKEN", "rehearsal-secret-github-c2VjcmV0"),
    ("NOETL_CHANNELS_TOKEN", "rehearsal-secret-channels-c2VjcmV0"),
    ("PYPI_TOKEN", "rehearsal-secret-pypi-c2VjcmV0"),
    ("NPM_TOKEN", "rehearsal-secret-npm-c2VjcmV0"),
    ("CARGO_REGISTRY_TOKEN", "rehearsal-secret-crates-c2VjcmV0"),
];

/// Returns the name of a token whose value is in these bytes: as it is, reversed, in hexadecimal of both cases, or in
/// base64 at any place of a longer text.
pub(super) fn find(bytes: &[u8]) -> Option<&'static str> {
    let has = |form: &str| memchr::memmem::find(bytes, form.as_bytes()).is_some();
    let found = TOKENS
        .iter()
        .find(|(_, value)| forms(value).iter().any(|form| has(form)));
    found.map(|(name, _)| *name)
}

fn forms(value: &str) -> Vec<String> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        value.to_owned(),
        value.chars().rev().collect(),
        hex.to_uppercase(),
        hex,
    ];
    // Three bytes are four letters: what comes before decides the first letters, and what comes after the last ones.
    for before in 0..3 {
        let text = [vec![0; before], value.as_bytes().to_vec()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let start = if before == 0 { 0 } else { 4 };
            forms.extend(encoded.get(start..encoded.len() - 4).map(str::to_owned));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn values_are_found_in_every_form() {
        for (name, value) in TOKENS {
            let basic = STANDARD.encode(format!("__token__:{value}"));
            let json = serde_json::json!({ "header": format!("Basic {basic}") }).to_string();
            let plain = format!("https://{value}@localhost/");
            let other = STANDARD.encode(format!("x{value}, and more"));
            let hex: String = value.bytes().map(|byte| format!("{byte:02X}")).collect();
            for text in [json, plain, other, hex] {
                assert_eq!(find(text.as_bytes()), Some(name), "{text}");
            }
        }
        assert_eq!(find(b"github POST /repos/noetl/noetl/releases"), None);
    }
}
