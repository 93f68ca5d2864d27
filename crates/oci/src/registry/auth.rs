//! Signs in at a registry, and again when a token has expired.
//!
//! The first request is sent without credentials; the answer 401 names the scheme and the token server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::registry::challenge::{self, Challenge};
use crate::registry::credentials::{Credentials, Keychain, Lookup};
use crate::registry::remedy::Cause;
use crate::registry::secret::Secret;
use crate::registry::transport::{Answer, Request, RequestBody, Transport};
use crate::registry::{location, token};

/// What is needed to sign in for one repository.
#[derive(Debug)]
pub(super) struct SignIn {
    /// Where the credentials come from.
    pub(super) keychain: Arc<dyn Keychain>,
    /// The token servers that get the credentials wherever they are.
    pub(super) token_servers: Arc<[String]>,
    /// The repository.
    pub(super) repository: String,
    /// The scopes of requested tokens, such as `repository:some/image:pull,push`; the first is that of the repository.
    pub(super) scopes: Vec<String>,
}

/// The sign-in at one registry, shared by all threads that send requests to it.
#[derive(Debug)]
pub(super) struct Auth {
    sign_in: SignIn,
    /// Scheme, host and port of the registry, such as `https://ghcr.io`.
    origin: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lookup: Option<Lookup>,
    header: Option<Secret>,
    /// The challenge with which the next token is requested, and when to do so.
    expiry: Option<(Challenge, Instant)>,
}

impl Auth {
    /// Returns a sign-in at `origin`. Sends no request.
    pub(super) fn new(sign_in: SignIn, origin: &str) -> Self {
        Self {
            sign_in,
            origin: origin.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Returns the value of `Authorization` to send, if there is one. Requests a new token when the last is about to
    /// expire.
    pub(super) fn header(&self, transport: &Transport) -> anyhow::Result<Option<Secret>> {
        let mut state = self.state();
        if let Some((challenge, until)) = state.expiry.clone()
            && Instant::now() >= until
        {
            self.ask_for_token(transport, &mut state, challenge)?;
        }
        Ok(state.header.clone())
    }

    /// Signs in as the answer 401 `refused` requires. `used` is the `Authorization` of the refused request; when
    /// another thread has signed in since then, nothing is done.
    ///
    /// # Errors
    /// When there are no credentials, or they are refused.
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
            format!("{host} requires a sign-in, but WWW-Authenticate has neither Basic nor Bearer")
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

    /// Returns whether there are credentials for the registry.
    pub(super) fn has_credentials(&self) -> bool {
        let lookup = self.lookup(&mut self.state());
        lookup.is_ok_and(|lookup| lookup.credentials.is_some())
    }

    /// Returns the error of a refused request, with the places that were searched for credentials.
    pub(super) fn denial(&self) -> anyhow::Error {
        match self.lookup(&mut self.state()) {
            Ok(lookup) => self.denied(&lookup),
            Err(error) => error,
        }
    }

    /// Returns a message of a server with the secrets replaced that were sent to it.
    pub(super) fn redact(&self, text: &str) -> String {
        let state = self.state();
        redact(text, &state)
    }

    fn host(&self) -> &str {
        location::host(&self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panics leaves no half-changed state.
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
            None if lookup.is_anonymous => {
                format!("{host} does not serve clients without credentials")
            }
            None if place.is_empty() => format!("{host} requires credentials, and there are none"),
            None => {
                let places = lookup.places.join(", ");
                format!("{host} requires credentials, and there are none for it in {places}")
            }
        };
        anyhow!(what).help(format!("sign in: docker login {host}"))
    }

    /// Finds the credentials for the registry's host, not for that of the token server. The keychain is asked once.
    fn lookup(&self, state: &mut State) -> anyhow::Result<Lookup> {
        if let Some(lookup) = &state.lookup {
            return Ok(lookup.clone());
        }
        let lookup = self
            .sign_in
            .keychain
            .find(self.host(), &self.sign_in.repository)?;
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
            realm.with_context(|| format!("{host} requires a token, but names no token server"))?;
        let realm = location::resolve(&self.origin, realm)?;
        let server = location::host(&realm);
        let may_see = location::shares_credentials(host, server, &self.sign_in.token_servers);
        let shown = lookup.credentials.as_ref().filter(|_| may_see);
        let asked = Instant::now();
        let mut answer = request_token(transport, &realm, &challenge, &self.sign_in.scopes, shown)?;
        if let [own, _, ..] = self.sign_in.scopes.as_slice()
            && matches!(answer.status, 400 | 401 | 403)
        {
            // Some servers give no token at all when one of the repositories to mount from must not be read.
            let own = std::slice::from_ref(own);
            answer = request_token(transport, &realm, &challenge, own, shown)?;
        }
        if answer.status != 200 {
            let url = location::shown(&realm);
            let words = redact(&answer.message(), state);
            let refusal = format!("the token server {url} answers {} {words}", answer.status);
            return Err(if may_see || lookup.credentials.is_none() {
                self.denied(&lookup).context(refusal)
            } else {
                anyhow!(
                    "{refusal}: it is not a part of {host}, so the credentials of {host} are not sent to it"
                )
                .help(format!(
                    "if {server} is where {host} signs in, say so: --token-server {server}, or \
                     NOETL_REGISTRY_TOKEN_SERVER={server}"
                ))
            });
        }
        let (token, lifetime) =
            token::read(&answer.body).with_context(|| format!("the token server {server}"))?;
        state.header = Some(token.bearer());
        // After 90 % of the lifetime, since a request may take long.
        state.expiry = Some((challenge, asked + lifetime * 9 / 10));
        Ok(())
    }
}

/// Returns the answer of a token server, with any status.
fn request_token(
    transport: &Transport,
    realm: &str,
    challenge: &Challenge,
    scopes: &[String],
    credentials: Option<&Credentials>,
) -> anyhow::Result<Answer> {
    let plan = token::request(realm, challenge, scopes, credentials);
    let mut request = Request::new(plan.method, plan.url);
    if let Some(form) = &plan.form {
        request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(RequestBody::Bytes(form.reveal().as_bytes()));
    }
    let answer = transport.send_with_retry(&request, plan.authorization.as_ref());
    answer.map_err(|error| {
        let help = Cause::of_error(&error).help(location::host(realm));
        let what = format!("no answer from the token server {}", location::shown(realm));
        anyhow!(error).context(what).help(help)
    })
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
