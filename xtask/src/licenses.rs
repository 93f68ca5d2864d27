//! Under which licences others may give us what we ship: SPDX expressions (spec 3.0, annex B)
//! against one list.

use std::cell::Cell;

/// Licences that ask for no more than a notice; a choice needs one of them, a sum needs all.
pub(crate) const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Besides, for tools that build and test the page and are not part of it.
pub(crate) const ALLOWED_IN_TOOLS: &[&str] = &["BlueOak-1.0.0", "CC-BY-4.0", "MPL-2.0"];

/// Further licences that NoETL or what is around it could name; an unknown one is more often a typing error.
const KNOWN: &[&str] = &[
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "OpenSSL",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "blessing",
];

/// Whether a text is an expression over known identifiers: `MIT OR Apache-2.0 WITH LLVM-exception`.
pub(crate) fn is_expression(text: &str) -> bool {
    let unknown = Cell::new(false);
    let met = is_met(text, |license| {
        let id = license.strip_suffix('+').unwrap_or(license);
        let own = id
            .strip_prefix("LicenseRef-")
            .is_some_and(|name| !name.is_empty());
        let known = own
            || [ALLOWED, ALLOWED_IN_TOOLS, KNOWN]
                .iter()
                .any(|list| list.contains(&id));
        unknown.set(unknown.get() || !known);
        known
    });
    met.is_some() && !unknown.get() && !text.contains('/')
}

/// Whether an expression can be met with licences of which `allowed` is true.
///
/// `None` when it is no expression. The slash that old crates write for OR is read as one.
pub(crate) fn is_met(expression: &str, allowed: impl Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (met, rest) = any(&words, &allowed)?;
    rest.is_empty().then_some(met)
}

type Read<'a, 'b> = Option<(bool, &'a [&'b str])>;

/// Terms between OR, which binds loosest.
fn any<'a, 'b>(words: &'a [&'b str], allowed: &impl Fn(&str) -> bool) -> Read<'a, 'b> {
    let (mut met, mut rest) = all(words, allowed)?;
    while let ["OR", after @ ..] = rest {
        let (next, after) = all(after, allowed)?;
        (met, rest) = (met || next, after);
    }
    Some((met, rest))
}

/// Terms between AND.
fn all<'a, 'b>(words: &'a [&'b str], allowed: &impl Fn(&str) -> bool) -> Read<'a, 'b> {
    let (mut met, mut rest) = one(words, allowed)?;
    while let ["AND", after @ ..] = rest {
        let (next, after) = one(after, allowed)?;
        (met, rest) = (met && next, after);
    }
    Some((met, rest))
}

/// A licence, with an exception that only adds rights, or an expression in brackets.
fn one<'a, 'b>(words: &'a [&'b str], allowed: &impl Fn(&str) -> bool) -> Read<'a, 'b> {
    match words {
        ["(", inside @ ..] => match any(inside, allowed)? {
            (met, [")", rest @ ..]) => Some((met, rest)),
            _ => None,
        },
        [license, "WITH", exception, rest @ ..] => {
            (is_id(license) && is_id(exception)).then(|| (allowed(license), rest))
        }
        [license, rest @ ..] => is_id(license).then(|| (allowed(license), rest)),
        [] => None,
    }
}

fn is_id(word: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.+".contains(letter);
    !["AND", "OR", "WITH"].contains(&word) && !word.is_empty() && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_names_licences_that_are_known() {
        for text in [
            "MIT",
            "(MIT AND (BSD-3-Clause OR Zlib)) OR GPL-2.0-only",
            "Apache-2.0 WITH LLVM-exception",
            "LicenseRef-noetl-1",
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "MIT License",
            "MIT/Apache-2.0",
            "mit",
            "MIT AND Nobody-1.0",
            "LicenseRef-",
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[test]
    fn an_expression_is_met_as_its_words_say() {
        let met = |text: &str| is_met(text, |license| ALLOWED.contains(&license));
        for text in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(met(text), Some(true), "{text}");
        }
        for text in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR MPL-2.0)",
            "LicenseRef-mine",
        ] {
            assert_eq!(met(text), Some(false), "{text}");
        }
        // AND binds tighter than OR.
        assert_eq!(met("MIT OR MIT AND GPL-3.0-only"), Some(true));
        for text in [
            "",
            "MIT License",
            "MIT OR",
            "(MIT",
            "MIT)",
            "AND",
            "MIT WITH",
        ] {
            assert_eq!(met(text), None, "{text}");
        }
    }
}
