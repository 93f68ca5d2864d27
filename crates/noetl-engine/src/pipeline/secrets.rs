//! Secrets that a step was given, and their way out of everything that it says.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value as Json};

use super::spelling::{ascii_escaped, base64_spellings, line_end, spelled};
use crate::execution::Outcome;
use crate::tool::{self, Credential, Failure, Host};

/// The shortest secret that is blanked out wherever it occurs, in bytes.
const LONG: usize = 6;
/// The shortest secret that is blanked out at all, and only as a word of its own: fewer letters hide nothing,
/// and blanking them would destroy every text.
const SHORT: usize = 3;

/// Texts that must not leave a step.
#[derive(Debug, Default)]
struct Secrets(Vec<Secret>);

#[derive(Debug, PartialEq)]
struct Secret {
    text: String,
    /// Whether it is a secret only where no letter, digit or underscore stands beside it.
    word: bool,
}

impl Secrets {
    /// Keeps every secret of a credential, and the pair that Basic authentication makes of it.
    fn keep_credential(&mut self, credential: &Credential) {
        self.keep_fields(&credential.data);
        let text = |names: &[&str]| tool::credential_text(&credential.data, names);
        if let Some(user) = text(&["username", "user"]) {
            let password = text(&["password"]).unwrap_or_default();
            let pair = STANDARD_NO_PAD.encode(format!("{user}:{password}"));
            self.add(pair, false);
            // Some services take a key as the name, and no password.
            if password.is_empty() && credential.data.contains_key("password") {
                self.keep_text("key", &user);
            }
        }
    }

    fn keep_fields(&mut self, fields: &Map<String, Json>) {
        for (key, value) in fields {
            if is_secret(key) {
                self.keep(key, value);
            } else if let Some(password) = value.as_str().and_then(password_in) {
                self.keep_text("password", password);
            }
        }
    }

    /// Keeps what a field called `key` holds.
    fn keep(&mut self, key: &str, value: &Json) {
        match value {
            Json::String(text) => {
                self.keep_text(key, text);
                // Whoever prints it prints it line by line.
                let lines = text.lines().filter(|_| text.contains('\n'));
                lines.for_each(|line| self.keep_text(key, line));
                if let Some(password) = password_in(text) {
                    self.keep_text("password", password);
                }
                match serde_json::from_str(text) {
                    Ok(Json::Object(fields)) => self.keep_fields(&fields),
                    Ok(Json::Array(items)) => items.iter().for_each(|item| self.keep(key, item)),
                    _ => {}
                }
            }
            Json::Number(number) if says_secret(key) => {
                let text = number.to_string();
                if text.len() >= SHORT {
                    self.add(text, true);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.keep(key, item)),
            Json::Object(entries) => self.keep_fields(entries),
            _ => {}
        }
    }

    fn keep_text(&mut self, key: &str, text: &str) {
        let text = text.trim();
        // A password that is a word is one only where it stands by itself.
        let plain = text.len() < 2 * LONG && text.bytes().all(|byte| byte.is_ascii_lowercase());
        if text.len() < LONG || plain {
            if text.len() >= SHORT && (text.len() >= LONG || says_secret(key)) {
                self.add(text.to_owned(), true);
            }
            return;
        }
        self.add(text.to_owned(), false);
        for spelling in base64_spellings(text) {
            self.add(spelling, false);
        }
        if !text.is_ascii() {
            self.add(ascii_escaped(text), false);
        }
    }

    /// The longest first: a short one may be part of it.
    fn add(&mut self, text: String, word: bool) {
        let secret = Secret { text, word };
        if !self.0.contains(&secret) {
            let longer = |kept: &Secret| kept.text.len() >= secret.text.len();
            self.0.insert(self.0.partition_point(longer), secret);
        }
    }

    /// A text without secrets; none when it has none.
    fn blanked(&self, text: &str) -> Option<String> {
        let mut clean = String::new();
        let (mut at, mut copied) = (0, 0);
        while at < text.len() {
            match self.0.iter().find_map(|secret| secret.ends(text, at)) {
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

    fn blank_text(&self, text: &mut String) {
        if let Some(clean) = self.blanked(text) {
            *text = clean;
        }
    }

    fn blank(&self, value: &mut Json) {
        match value {
            Json::String(text) => self.blank_text(text),
            Json::Number(number) => {
                if let Some(clean) = self.blanked(&number.to_string()) {
                    *value = Json::String(clean);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.blank(item)),
            Json::Object(entries) => self.blank_entries(entries),
            _ => {}
        }
    }

    fn blank_entries(&self, entries: &mut Map<String, Json>) {
        *entries = std::mem::take(entries)
            .into_iter()
            .map(|(key, mut value)| {
                self.blank(&mut value);
                (self.blanked(&key).unwrap_or(key), value)
            })
            .collect();
    }

    fn holds(&self, value: &Json) -> bool {
        let mut clean = value.clone();
        self.blank(&mut clean);
        clean != *value
    }
}

impl Secret {
    /// Where the secret ends that begins at `start`, whichever way its bytes are spelled there.
    fn ends(&self, text: &str, start: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let is_word = |at: usize| {
            bytes
                .get(at)
                .is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
        };
        if self.word && start > 0 && is_word(start - 1) {
            return None;
        }
        let mut at = start;
        for (said, byte) in self.text.bytes().enumerate() {
            let mut rest = bytes.get(at..)?;
            if said >= LONG && !self.word {
                // A message quotes no more than the beginning.
                if said >= 2 * LONG && (rest.is_empty() || rest.starts_with("…".as_bytes())) {
                    return Some(at);
                }
                let wrapped = line_end(rest, byte);
                (at, rest) = (at + wrapped, &rest[wrapped..]);
            }
            at += spelled(rest, byte)?;
        }
        (!self.word || !is_word(at)).then_some(at)
    }
}

/// The password of a URL such as `postgres://me:secret@host/db`.
fn password_in(url: &str) -> Option<&str> {
    let (_, behind) = url.split_once("://")?;
    let (user, _) = behind.split('/').next()?.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

/// Which fields of a credential are secret: all but those that say where, who and how.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let open = [
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
    let last = key.rsplit(['_', '-']).next().unwrap_or_default();
    !open.contains(&last)
}

/// Whether a field's name says that even a few letters in it are a secret.
fn says_secret(key: &str) -> bool {
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

/// A host that remembers which secrets it gave to a step.
pub(super) struct KeepsSecrets<'a> {
    host: &'a dyn Host,
    secrets: Mutex<Secrets>,
}

impl<'a> KeepsSecrets<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self {
            host,
            secrets: Mutex::default(),
        }
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blanks secrets out of everything that an outcome says.
    pub(super) fn redact(&self, outcome: &mut Outcome) {
        let secrets = self.secrets();
        if secrets.0.is_empty() {
            return;
        }
        secrets.blank(&mut outcome.result);
        for entries in [&mut outcome.tasks, &mut outcome.ctx, &mut outcome.iter] {
            // The names are the playbook's own.
            entries.values_mut().for_each(|value| secrets.blank(value));
        }
        if let Some(failure) = &mut outcome.error {
            secrets.blank_text(&mut failure.message);
            failure
                .help
                .iter_mut()
                .for_each(|help| secrets.blank_text(help));
            let values = failure.code.iter_mut().chain(&mut failure.result);
            values.for_each(|value| secrets.blank(value));
        }
    }
}

impl Host for KeepsSecrets<'_> {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> tool::BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async move {
            let found = self.host.credential(name).await?;
            if let Some(found) = &found {
                self.secrets().keep_credential(found);
            }
            Ok(found)
        })
    }

    fn playbook<'a>(
        &'a self,
        call: tool::SubPlaybook,
    ) -> tool::BoxFuture<'a, Result<Json, Failure>> {
        // What a playbook is given is kept with its execution, for everybody to read.
        if self.secrets().holds(&Json::Object(call.payload.clone())) {
            let failure = Failure::new(
                "auth",
                format!("the payload for `{}` holds a secret, and payloads are kept in the open", call.path),
            )
            .help("name the credential in the `keychain` of that playbook, and leave it out of the payload");
            return Box::pin(std::future::ready(Err(failure)));
        }
        self.host.playbook(call)
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = self.host.environment(name)?;
        if is_secret(name) {
            self.secrets().keep(name, &Json::from(value.as_str()));
        }
        Some(value)
    }

    fn line(&self, place: &crate::problem::Place, stream: tool::Stream, line: &str) {
        let clean = self.secrets().blanked(line);
        self.host
            .line(place, stream, clean.as_deref().unwrap_or(line));
    }

    fn machine(&self) -> &tool::Machine {
        self.host.machine()
    }
}

#[cfg(test)]
mod tests;
