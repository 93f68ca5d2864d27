//! Redaction: the secrets that a step was given, and their removal from its output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value as Json};

use super::secret_forms::{matched_length, other_forms, wrap_length};
use crate::host::Credential;
use crate::tool::credential;

/// The shortest secret that is redacted inside of words, in bytes.
const MIN_LENGTH: usize = 6;
/// The shortest secret that is redacted as a whole word. Shorter ones are not redacted: they are too easy to
/// guess, and without them no text could be read.
const MIN_WORD_LENGTH: usize = 3;

/// Texts that must not appear in the output of a step.
#[derive(Debug)]
pub(super) struct Secrets {
    /// The longest first, since a short one may be part of a long one.
    list: Vec<Secret>,
    /// Whether a form of a secret may begin with a byte. At all other bytes nothing is looked for.
    first_bytes: [bool; 256],
}

impl Default for Secrets {
    fn default() -> Self {
        let mut first_bytes = [false; 256];
        // Every form in URLs, JSON and HTML begins with one of these.
        for byte in [b'%', b'+', b'\\', b'&'] {
            first_bytes[usize::from(byte)] = true;
        }
        Self {
            list: Vec::new(),
            first_bytes,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Secret {
    text: String,
    /// Whether it is redacted only as a whole word: without a letter, digit or underscore beside it.
    whole_word: bool,
}

impl Secrets {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds every secret of a credential, and its text for Basic authentication.
    pub(super) fn add_credential(&mut self, credential: &Credential) {
        self.add_fields(&credential.data);
        let text = |names: &[&str]| credential::text(&credential.data, names);
        if let Some(user) = text(&["username", "user"]) {
            let password = text(&["password"]).unwrap_or_default();
            let pair = STANDARD_NO_PAD.encode(format!("{user}:{password}"));
            self.add(pair, false);
            // Some services take a key as user name, and no password.
            if password.is_empty() && credential.data.contains_key("password") {
                self.add_text("key", &user);
            }
        }
    }

    fn add_fields(&mut self, fields: &Map<String, Json>) {
        for (key, value) in fields {
            if is_secret(key) {
                self.add_value(key, value);
            } else if let Some(password) = value.as_str().and_then(password_in) {
                self.add_text("password", password);
            }
        }
    }

    /// Adds the secrets in the value of a field called `key`.
    pub(super) fn add_value(&mut self, key: &str, value: &Json) {
        match value {
            Json::String(text) => {
                self.add_text(key, text);
                // Output may have a part of the lines.
                let lines = text.lines().filter(|_| text.contains('\n'));
                lines.for_each(|line| self.add_text(key, line));
                if let Some(password) = password_in(text) {
                    self.add_text("password", password);
                }
                match serde_json::from_str(text) {
                    Ok(Json::Object(fields)) => self.add_fields(&fields),
                    Ok(Json::Array(items)) => {
                        items.iter().for_each(|item| self.add_value(key, item))
                    }
                    _ => {}
                }
            }
            Json::Number(number) if is_named_as_secret(key) => {
                let text = number.to_string();
                if text.len() >= MIN_WORD_LENGTH {
                    self.add(text, true);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.add_value(key, item)),
            Json::Object(entries) => self.add_fields(entries),
            _ => {}
        }
    }

    fn add_text(&mut self, key: &str, text: &str) {
        let text = text.trim();
        // A password may be an ordinary word, which is part of other words.
        let is_plain =
            text.len() < 2 * MIN_LENGTH && text.bytes().all(|byte| byte.is_ascii_lowercase());
        if text.len() < MIN_LENGTH || is_plain {
            if text.len() >= MIN_WORD_LENGTH
                && (text.len() >= MIN_LENGTH || is_named_as_secret(key))
            {
                self.add(text.to_owned(), true);
            }
            return;
        }
        self.add(text.to_owned(), false);
        for form in other_forms(text) {
            self.add(form, false);
        }
    }

    fn add(&mut self, text: String, whole_word: bool) {
        let secret = Secret { text, whole_word };
        if !self.list.contains(&secret) {
            if let Some(first) = secret.text.bytes().next() {
                self.first_bytes[usize::from(first)] = true;
            }
            let longer = |known: &Secret| known.text.len() >= secret.text.len();
            self.list.insert(self.list.partition_point(longer), secret);
        }
    }

    /// Returns a text with `***` in place of its secrets; none when it has no secrets.
    pub(super) fn redacted(&self, text: &str) -> Option<String> {
        let mut clean = String::new();
        let (mut at, mut copied) = (0, 0);
        while at < text.len() {
            let may_begin = self.first_bytes[usize::from(text.as_bytes()[at])];
            let mut secrets = self.list.iter().filter(|_| may_begin);
            match secrets.find_map(|secret| secret.end_at(text, at)) {
                Some(end) => {
                    clean.push_str(&text[copied..at]);
                    clean.push_str("***");
                    (at, copied) = (end, end);
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if copied == 0 {
            return None;
        }
        clean.push_str(&text[copied..]);
        Some(clean)
    }

    pub(super) fn redact_text(&self, text: &mut String) {
        if let Some(clean) = self.redacted(text) {
            *text = clean;
        }
    }

    pub(super) fn redact_value(&self, value: &mut Json) {
        match value {
            Json::String(text) => self.redact_text(text),
            Json::Number(number) => {
                if let Some(clean) = self.redacted(&number.to_string()) {
                    *value = Json::String(clean);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Json::Object(entries) => self.redact_entries(entries),
            _ => {}
        }
    }

    fn redact_entries(&self, entries: &mut Map<String, Json>) {
        *entries = std::mem::take(entries)
            .into_iter()
            .map(|(key, mut value)| {
                self.redact_value(&mut value);
                (self.redacted(&key).unwrap_or(key), value)
            })
            .collect();
    }

    /// Whether a value has a secret.
    pub(super) fn found_in(&self, value: &Json) -> bool {
        let mut clean = value.clone();
        self.redact_value(&mut clean);
        clean != *value
    }
}

impl Secret {
    /// Returns where the secret ends when it begins at `start`, in any of its forms.
    fn end_at(&self, text: &str, start: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let is_word = |at: usize| {
            bytes
                .get(at)
                .is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
        };
        if self.whole_word && start > 0 && is_word(start - 1) {
            return None;
        }
        let mut at = start;
        for (matched, byte) in self.text.bytes().enumerate() {
            let mut rest = bytes.get(at..)?;
            if matched >= MIN_LENGTH && !self.whole_word {
                // A message may quote the beginning only.
                if matched >= 2 * MIN_LENGTH
                    && (rest.is_empty() || rest.starts_with("…".as_bytes()))
                {
                    return Some(at);
                }
                let wrapped = wrap_length(rest, byte);
                (at, rest) = (at + wrapped, &rest[wrapped..]);
            }
            at += matched_length(rest, byte)?;
        }
        (!self.whole_word || !is_word(at)).then_some(at)
    }
}

/// Returns the password of a URL such as `postgres://me:secret@host/db`.
fn password_in(url: &str) -> Option<&str> {
    let (_, behind) = url.split_once("://")?;
    let (user, _) = behind.split('/').next()?.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

/// Whether a field of a credential is secret: all are but those for an address, a user or a setting.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let public = [
        "account",
        "audience",
        "database",
        "db",
        "dbname",
        "driver",
        "email",
        "endpoint",
        "env",
        "environment",
        "format",
        "header",
        "host",
        "issuer",
        "mode",
        "ms",
        "name",
        "port",
        "project",
        "realm",
        "region",
        "retries",
        "role",
        "schema",
        "scope",
        "scopes",
        "seconds",
        "ssl",
        "sslmode",
        "timeout",
        "type",
        "uri",
        "url",
        "user",
        "username",
        "version",
    ];
    // Who knows the address of a webhook, or one that is signed, needs nothing else.
    let is_address_with_secret = ["webhook", "signed", "sas"];
    let mut words = key.split(['_', '-']);
    let last = key.rsplit(['_', '-']).next().unwrap_or_default();
    !public.contains(&last) || words.any(|word| is_address_with_secret.contains(&word))
}

/// Whether a field's name is one of a secret, so that a short value counts as one, too.
fn is_named_as_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let parts = [
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "credential",
        "auth",
    ];
    let words = ["pin", "value", "code"];
    parts.iter().any(|part| key.contains(part))
        || key.split(['_', '-']).any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests;
