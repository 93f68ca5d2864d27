//! SPDX licence expressions (spec 2.3, annex D): a small grammar, and the identifiers that NoETL and
//! what it is made of use. An unknown one is more often a typing error than a rare licence.

const LICENSES: &[&str] = &[
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "blessing",
];

const EXCEPTIONS: &[&str] = &[
    "Classpath-exception-2.0",
    "GCC-exception-3.1",
    "LLVM-exception",
];

/// Whether a text is an expression over known identifiers: `MIT OR Apache-2.0 WITH LLVM-exception`.
pub(super) fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    expression(&words).is_some_and(<[_]>::is_empty)
}

/// Terms joined by AND and OR; whether one binds tighter does not decide whether it is well-formed.
fn expression<'a, 'b>(words: &'a [&'b str]) -> Option<&'a [&'b str]> {
    let mut rest = term(words)?;
    while let ["AND" | "OR", after @ ..] = rest {
        rest = term(after)?;
    }
    Some(rest)
}

fn term<'a, 'b>(words: &'a [&'b str]) -> Option<&'a [&'b str]> {
    match words {
        ["(", inside @ ..] => match expression(inside)? {
            [")", rest @ ..] => Some(rest),
            _ => None,
        },
        [license, "WITH", exception, rest @ ..] => {
            (is_license(license) && EXCEPTIONS.contains(exception)).then_some(rest)
        }
        [license, rest @ ..] => is_license(license).then_some(rest),
        [] => None,
    }
}

fn is_license(word: &str) -> bool {
    let own = word.strip_prefix("LicenseRef-");
    let is_id = |it: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        !it.is_empty() && it.chars().all(allowed)
    };
    LICENSES.contains(&word.strip_suffix('+').unwrap_or(word)) || own.is_some_and(is_id)
}

#[cfg(test)]
mod tests {
    use super::is_expression;

    #[test]
    fn expressions_are_read_as_the_specification_has_them() {
        for text in [
            "MIT",
            "MIT OR Apache-2.0",
            "(MIT AND (BSD-3-Clause OR Zlib)) OR ISC",
            "Apache-2.0 WITH LLVM-exception",
            "LicenseRef-noetl-1",
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "MIT License",
            "MIT/Apache-2.0",
            "MIT OR",
            "(MIT",
            "MIT)",
            "mit",
            "MIT WITH MIT",
            "LicenseRef-",
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }
}
