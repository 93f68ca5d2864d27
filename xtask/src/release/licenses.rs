//! The licences that dependencies may have, and SPDX expressions of licences.

use spdx::{Expression, LicenseItem, LicenseReq, ParseMode};

/// The licences that dependencies may have: they require only a notice.
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

/// The licences that only tools may have, which build and test the web page and are not part of it.
pub(crate) const ALLOWED_IN_TOOLS: &[&str] =
    &["BlueOak-1.0.0", "CC-BY-4.0", "MPL-2.0", "Python-2.0"];

/// Whether a text is an SPDX expression of known licences, such as `MIT OR Apache-2.0 WITH LLVM-exception`.
pub(crate) fn is_expression(text: &str) -> bool {
    Expression::parse(text).is_ok()
}

/// Whether licences for which `allowed` is true satisfy an expression; `None` when the text is not an expression. A slash
/// means OR, as in old crates.
pub(crate) fn is_met(expression: &str, allowed: impl Fn(&str) -> bool) -> Option<bool> {
    let mode = ParseMode {
        allow_slash_as_or_operator: true,
        ..ParseMode::STRICT
    };
    let expression = Expression::parse_mode(expression, mode).ok()?;
    let is_allowed = |license: &LicenseReq| match &license.license {
        LicenseItem::Spdx { id, .. } => allowed(id.name),
        LicenseItem::Other { .. } => false,
    };
    Some(expression.evaluate(is_allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_consist_of_known_licences() {
        for text in [
            "MIT",
            "(MIT AND (BSD-3-Clause OR Zlib)) OR GPL-2.0-only",
            "Apache-2.0 WITH LLVM-exception",
            "LicenseRef-noetl-1",
        ] {
            assert!(is_expression(text), "{text}");
        }
        let unknown = "MIT AND Unheard-Of-1.0";
        for text in ["", "MIT License", "MIT/Apache-2.0", "mit", unknown] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[test]
    fn expressions_are_evaluated() {
        let met = |text: &str| is_met(text, |license| ALLOWED.contains(&license));
        for text in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
            // AND binds tighter than OR.
            "MIT OR MIT AND GPL-3.0-only",
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
        for text in ["", "MIT License", "MIT OR", "(MIT", "AND", "MIT WITH"] {
            assert_eq!(met(text), None, "{text}");
        }
    }
}
