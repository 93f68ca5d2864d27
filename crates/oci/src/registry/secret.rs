//! A secret that is not printed, neither in errors nor by `Debug`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A password or a token. It is not printed, and code outside this crate cannot read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password or a token.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// Returns the value, to be sent.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the value of an `Authorization` header of the scheme Basic (RFC 7617).
    pub fn basic(&self, user: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{}", self.0));
        Self(format!("Basic {pair}"))
    }

    /// Returns the value of an `Authorization` header of the scheme Bearer (RFC 6750).
    pub fn bearer(&self) -> Self {
        Self(format!("Bearer {}", self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_print_it() {
        let secret = Secret::new("hunter2");
        let basic = secret.basic("me");
        assert_eq!(basic.reveal(), "Basic bWU6aHVudGVyMg==");
        for shown in [format!("{secret:?}"), format!("{:?}", Some(basic))] {
            assert!(
                !shown.contains("hunter2") && !shown.contains("bWU6"),
                "{shown}"
            );
        }
    }
}
