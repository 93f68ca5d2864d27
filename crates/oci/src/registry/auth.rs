//! Signing in as a registry asks for it, and again when a token has expired.
//!
//! The first request goes without credentials, and its 401 says what is wanted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::registry::challenge::{self, Challenge};
use crate::registry::credentials::{Credentials, Keychain, Lookup};
use crate::registry::secret::Secret;
use crate::registry::transport::{Answer, Request, RequestBody, Transport};
use crate::registry::{location, token};

/// The sign-in at one registry, shared by all threads that send requests to it.
#[derive(Debug)]
pub(super) struct Auth {
    keychain: Arc<dyn Keychain>,
    /// Where the registry is, such as `https://ghcr.io`.
    origin: String,
    repository: String,
    /// What tokens are asked for, such as `repository:noetl/noetl:pull,push`.
    scopes: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lookup: Option<Lookup>,
    header: Option<Secret>,
    /// When the token is to be asked for anew, and how.
    expiry: Option<(Challenge, Instant)>,
}

impl Auth {
    /// Signs in at `origin` with what the keychain has for it.
    pub(super) fn new(
        keychain: Arc<dyn Keychain>,
        origin: &str,
        repository: &str,
        scopes: Vec<String>,
    ) -> Self {
        Self {
            keychain,
            origin: origin.to_owned(),
            repository: repository.to_owned(),
            scopes,
            state: Mutex::default(),
        }
    }

    /// Returns the `Authorization` to send now; a token that is about to expire is replaced first.
    pub(super) fn header(&self, transport: &Transport) -> anyhow::Result<Option<Secret>> {
        let mut state = self.state();
        if let Some((challenge, until)) = state.expiry.clone()
            && Instant::now() >= until
        {
            self.ask_for_token(transport, &mut state, challenge)?;
        }
        Ok(state.header.clone())
    }

    /// Does what a 401 asks for. `used` is what the refused request carried: when another thread has signed in
    /// since, there is nothing to do.
    ///
    /// # Errors
    /// When there are no credentials other than those that were refused.
    pub(super) fn renew(
        &self,
        transport: &Transport,
        refused: &Answer,
        used: Option<&Secret>,
    ) -> anyhow::Result<()> {
        let mut state = self.state();
        if state.header.as_ref() != used {
            return Ok(());
        }
        let headers = refused.headers.get_all("www-authenticate").iter();
        let texts = headers.filter_map(|header| header.to_str().ok());
        let challenges: Vec<_> = texts.flat_map(challenge::parse).collect();
        let by = |scheme| {
            let mut offered = challenges.iter();
            offered.find(|challenge| challenge.scheme == scheme)
        };
        if let Some(bearer) = by("bearer") {
            return self.ask_for_token(transport, &mut state, bearer.clone());
        }
        let host = self.host();
        by("basic").with_context(|| {
            format!("{host} wants a sign-in, neither Basic nor Bearer in WWW-Authenticate")
        })?;
        let lookup = self.lookup(&mut state)?;
        match &lookup.credentials {
            Some(Credentials::Password(user, password)) if used.is_none() => {
                state.header = Some(password.basic(user));
                Ok(())
            }
            _ => Err(self.denied(&lookup)),
        }
    }

    /// Returns the error of a refusal, with the places where credentials were looked for.
    pub(super) fn denial(&self) -> anyhow::Error {
        match self.lookup(&mut self.state()) {
            Ok(lookup) => self.denied(&lookup),
            Err(error) => error,
        }
    }

    /// Returns a message of a server without the secrets that were sent to it.
    pub(super) fn redact(&self, text: &str) -> String {
        let state = self.state();
        redact(text, &state)
    }

    fn host(&self) -> &str {
        location::host(&self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panics leaves nothing half-changed in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn denied(&self, lookup: &Lookup) -> anyhow::Error {
        let host = self.host();
        let place = lookup.places.last().map_or("", String::as_str);
        let what = match &lookup.credentials {
            Some(Credentials::Password(user, _)) => {
                format!("{host} refuses user `{user}` (credentials from {place})")
            }
            Some(Credentials::Identity(_)) => {
                format!("{host} refuses the identity token from {place}")
            }
            None if lookup.is_anonymous => format!("{host} wants a sign-in"),
            None if place.is_empty() => format!("{host} wants credentials, and there are none"),
            None => {
                let places = lookup.places.join(", ");
                format!("{host} wants credentials, and there are none for it in {places}")
            }
        };
        anyhow!(what).help(format!("docker login {host}"))
    }

    /// Finds the credentials once, by the registry's host and not by the token server's.
    fn lookup(&self, state: &mut State) -> anyhow::Result<Lookup> {
        if let Some(lookup) = &state.lookup {
            return Ok(lookup.clone());
        }
        let lookup = self.keychain.find(self.host(), &self.repository)?;
        Ok(state.lookup.insert(lookup).clone())
    }

    fn ask_for_token(
        &self,
        transport: &Transport,
        state: &mut State,
        challenge: Challenge,
    ) -> anyhow::Result<()> {
        let lookup = self.lookup(state)?;
        let host = self.host();
        let realm = challenge.parameter("realm");
        let realm =
            realm.with_context(|| format!("{host} wants a token and names no token server"))?;
        let realm = location::resolve(&self.origin, realm)?;
        let may_see = location::shares_credentials(host, location::host(&realm));
        let shown = lookup.credentials.as_ref().filter(|_| may_see);
        let plan = token::request(&realm, &challenge, &self.scopes, shown);
        let mut request = Request::new(plan.method, plan.url);
        if let Some(form) = &plan.form {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(RequestBody::Bytes(form.reveal().as_bytes()));
        }
        let server = location::shown(&realm);
        let asked = Instant::now();
        let answer = transport
            .send_with_retry(&request, plan.authorization.as_ref())
            .with_context(|| format!("no answer from the token server {server}"))?;
        if answer.status != 200 {
            let words = redact(&answer.message(), state);
            let error = self.denied(&lookup);
            let refusal = format!(
                "the token server {server} answers {} {words}",
                answer.status
            );
            return Err(if may_see || lookup.credentials.is_none() {
                error.context(refusal)
            } else {
                anyhow!(
                    "{refusal}: it is another host than {host}, and gets none of its credentials"
                )
            });
        }
        let (token, lifetime) =
            token::read(&answer.body).with_context(|| format!("the token server {server}"))?;
        state.header = Some(token.bearer());
        // A tenth early, since a request may take long.
        state.expiry = Some((challenge, asked + lifetime * 9 / 10));
        Ok(())
    }
}

fn redact(text: &str, state: &State) -> String {
    let lookup = state.lookup.as_ref();
    let secrets = match lookup.and_then(|lookup| lookup.credentials.clone()) {
        Some(Credentials::Password(user, password)) => vec![password.basic(&user), password],
        Some(Credentials::Identity(token)) => vec![token],
        None => Vec::new(),
    };
    let mut text = text.to_owned();
    for secret in secrets.iter().chain(&state.header) {
        let word = secret.reveal();
        let word = word.split_once(' ').map_or(word, |(_, word)| word);
        if !word.is_empty() {
            text = text.replace(word, "…");
        }
    }
    text
}
