//! Secrets that a tool was given, and their way out of everything that it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::execution::Outcome;
use crate::tool::{self, Failure, Host};

/// A host that remembers which credentials a tool was given.
pub(super) struct KeepsSecrets<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) seen: std::sync::Mutex<Vec<Json>>,
}

impl Host for KeepsSecrets<'_> {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> tool::BoxFuture<'a, Result<Option<tool::Credential>, Failure>> {
        Box::pin(async move {
            let found = self.host.credential(name).await?;
            if let (Some(found), Ok(mut seen)) = (&found, self.seen.lock()) {
                let secret = found.data.iter().filter(|(key, _)| is_secret(key));
                seen.extend(secret.map(|(_, value)| value.clone()));
            }
            Ok(found)
        })
    }

    fn playbook<'a>(
        &'a self,
        call: tool::SubPlaybook,
    ) -> tool::BoxFuture<'a, Result<Json, Failure>> {
        self.host.playbook(call)
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = self.host.environment(name)?;
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(Json::String(value.clone()));
        }
        Some(value)
    }

    fn line(&self, place: &crate::problem::Place, stream: tool::Stream, line: &str) {
        let seen = self
            .seen
            .lock()
            .map(|seen| seen.clone())
            .unwrap_or_default();
        let mut line = line.to_owned();
        for secret in seen
            .iter()
            .filter_map(Json::as_str)
            .filter(|secret| secret.len() >= super::MIN_SECRET)
        {
            line = line.replace(secret, "***");
        }
        self.host.line(place, stream, &line);
    }

    fn machine(&self) -> &tool::Machine {
        self.host.machine()
    }
}

/// Which fields of a credential are secret: all but those that say where and who.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let open = [
        "email", "project", "region", "host", "port", "user", "username", "name", "database",
        "dbname", "schema", "sslmode", "header", "type",
    ];
    !open
        .iter()
        .any(|open| key == *open || key == format!("db_{open}"))
}

/// Blanks secrets out of everything that an outcome says.
pub(super) fn redact(outcome: &mut Outcome, secrets: &[String]) {
    fn blank(value: &mut Json, secrets: &[String]) {
        match value {
            Json::String(text) => {
                for secret in secrets {
                    if text.contains(secret.as_str()) {
                        *text = text.replace(secret.as_str(), "***");
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| blank(item, secrets)),
            Json::Object(entries) => entries.values_mut().for_each(|item| blank(item, secrets)),
            _ => {}
        }
    }
    let clean = serde_json::to_value(&*outcome).and_then(|mut json| {
        blank(&mut json, secrets);
        serde_json::from_value(json)
    });
    // What cannot be cleaned is not shown.
    *outcome = clean.unwrap_or_else(|_| {
        Outcome::failed(Failure::new(
            "internal",
            "the outcome holds secrets that cannot be blanked out",
        ))
    });
}

/// A secret as it may stand in an answer: itself, escaped, and in base64.
pub(super) fn spellings(secret: &str) -> Vec<String> {
    let escaped = Json::from(secret).to_string();
    let escaped = escaped.trim_matches('"').to_owned();
    let mut spellings = vec![secret.to_owned(), STANDARD.encode(secret)];
    if escaped != secret {
        spellings.push(escaped);
    }
    spellings
}
