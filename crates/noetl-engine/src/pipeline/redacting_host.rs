//! The host that tools see: it keeps the secrets that it gives out of their output.

use std::time::Duration;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

use super::redact::{Secrets, is_secret};
use crate::command::{Outcome, SecretSource};
use crate::host::{BoxFuture, Credential, Host, Stream, SubPlaybook, ToolEnvironment};
use noetl_api::Failure;
use noetl_api::Place;

/// A host that records the secrets that it gives to a step, and removes them from the step's output.
pub(super) struct RedactingHost<'a> {
    host: &'a dyn Host,
    secrets: Mutex<Secrets>,
    given: Mutex<Vec<SecretSource>>,
}

impl<'a> RedactingHost<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self {
            host,
            secrets: Mutex::default(),
            given: Mutex::default(),
        }
    }

    /// Reads the secrets that earlier steps were given, so that this one's output does not contain them. One that no
    /// longer exists is left out.
    ///
    /// # Errors
    /// When they cannot be read now.
    pub(super) async fn know(&self, given: &[SecretSource]) -> Result<(), Failure> {
        for source in given {
            match source {
                SecretSource::Credential(name) => {
                    if let Some(found) = self.host.credential(name).await? {
                        self.secrets().add_credential(&found);
                    }
                }
                SecretSource::Environment(name) => {
                    if let Some(value) = self.host.environment_variable(name) {
                        self.secrets().add_value(name, &Json::from(value));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns what the step was given secrets from.
    pub(super) fn given(&self) -> Vec<SecretSource> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *given)
    }

    fn record(&self, source: SecretSource) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.contains(&source) {
            given.push(source);
        }
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a text with `***` in place of its secrets; none when it has no secrets.
    pub(super) fn redacted(&self, text: &str) -> Option<String> {
        self.secrets().redacted(text)
    }

    /// Removes the secrets from an outcome.
    pub(super) fn redact(&self, outcome: &mut Outcome) {
        let secrets = self.secrets();
        if secrets.is_empty() {
            return;
        }
        secrets.redact_value(&mut outcome.result);
        secrets.redact_value(&mut outcome.input);
        for entries in [&mut outcome.tasks, &mut outcome.ctx, &mut outcome.iter] {
            // Names come from the playbook and are not secret.
            entries
                .values_mut()
                .for_each(|value| secrets.redact_value(value));
        }
        if let Some(failure) = &mut outcome.error {
            redact_failure(failure, &secrets);
        }
        for attempt in &mut outcome.attempts {
            secrets.redact_value(&mut attempt.result);
            if let Some(failure) = &mut attempt.error {
                redact_failure(failure, &secrets);
            }
        }
    }
}

fn redact_failure(failure: &mut Failure, secrets: &Secrets) {
    secrets.redact_text(&mut failure.message);
    failure
        .help
        .iter_mut()
        .for_each(|help| secrets.redact_text(help));
    let values = failure.code.iter_mut().chain(&mut failure.result);
    values.for_each(|value| secrets.redact_value(value));
}

impl Host for RedactingHost<'_> {
    fn credential<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Credential>, Failure>> {
        Box::pin(async move {
            let found = self.host.credential(name).await?;
            if let Some(found) = &found {
                self.secrets().add_credential(found);
                self.record(SecretSource::Credential(name.to_owned()));
            }
            Ok(found)
        })
    }

    fn playbook<'a>(&'a self, call: SubPlaybook) -> BoxFuture<'a, Result<Json, Failure>> {
        // A payload is stored with the execution and can be read there.
        if self.secrets().found_in(&Json::Object(call.payload.clone())) {
            let failure = Failure::new(
                "auth",
                format!("the payload for `{}` holds a secret, and payloads are stored with the execution", call.path),
            )
            .help("name the credential in the `keychain` of that playbook, and leave it out of the payload");
            return Box::pin(std::future::ready(Err(failure)));
        }
        self.host.playbook(call)
    }

    fn environment_variable(&self, name: &str) -> Option<String> {
        let value = self.host.environment_variable(name)?;
        if is_secret(name) {
            self.secrets().add_value(name, &Json::from(value.as_str()));
            self.record(SecretSource::Environment(name.to_owned()));
        }
        Some(value)
    }

    fn output_line(&self, place: &Place, attempt: u32, stream: Stream, line: &str) {
        let clean = self.redacted(line);
        self.host
            .output_line(place, attempt, stream, clean.as_deref().unwrap_or(line));
    }

    fn retrying(&self, place: &Place, attempt: u32, failure: &Failure, delay: Duration) {
        let mut clean = failure.clone();
        redact_failure(&mut clean, &self.secrets());
        self.host.retrying(place, attempt, &clean, delay);
    }

    fn tool_environment(&self) -> &ToolEnvironment {
        self.host.tool_environment()
    }
}
