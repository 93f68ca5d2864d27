//! Signing in as a registry asks for it, and again when a token has expired.
//!
//! Nothing is guessed beforehand: the first request goes without credentials, and its 401 says what is wanted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow};

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::registry::challenge::{self, Challenge};
use crate::registry::credentials::{self, Credentials, Lookup};
use crate::registry::secret::Secret;
use crate::registry::transport::{Answer, Request, Transport};
use crate::registry::{location, token};

/// Who we are to one registry, shared by all threads that talk to it.
#[derive(Debug)]
pub(super) struct Auth {
    /// Where credentials are looked for; a stranger has none on purpose.
    ctx: Option<Ctx>,
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
    /// Signs in at `origin` with what docker and podman know of it; without `ctx` as a stranger, who sees what
    /// everybody sees.
    pub(super) fn new(
        ctx: Option<&Ctx>,
        origin: &str,
        repository: &str,
        scopes: Vec<String>,
    ) -> Self {
        Self {
            ctx: ctx.cloned(),
            origin: origin.to_owned(),
            repository: repository.to_owned(),
            scopes,
            state: Mutex::default(),
        }
    }

    /// The `Authorization` to send now; a token that is about to expire is replaced first.
    pub(super) fn header(&self, transport: &Transport) -> anyhow::Result<Option<Secret>> {
        let mut state = self.state();
        if let Some((challenge, until)) = state.expiry.clone()
            && Instant::now() >= until
        {
            self.ask_for_token(transport, &mut state, challenge)?;
        }
        Ok(state.header.clone())
    }

    /// Does what a 401 asks for. `used` is what the refused request carried: when another thread has been here
    /// in the meantime, there is nothing to do.
    ///
    /// # Errors
    /// When there is nothing more to show than what was refused.
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

    /// The error of a registry that does not let us do something, with the places where credentials were looked for.
    pub(super) fn denial(&self) -> anyhow::Error {
        match self.lookup(&mut self.state()) {
            Ok(lookup) => self.denied(&lookup),
            Err(error) => error,
        }
    }

    /// What others say, without anything that is ours alone.
    pub(super) fn redact(&self, text: &str) -> String {
        let state = self.state();
        redact(text, &state)
    }

    fn host(&self) -> &str {
        location::host(&self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-changed in it by a thread that panics.
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
            None if self.ctx.is_none() => format!("{host} does not serve strangers"),
            None if place.is_empty() => format!("{host} wants credentials, and there are none"),
            None => {
                let places = lookup.places.join(", ");
                format!("{host} wants credentials, and there are none for it in {places}")
            }
        };
        Err::<(), _>(anyhow!(what))
            .help(format!("docker login {host}"))
            .expect_err("it was made from an error")
    }

    /// Finds the credentials once, by the registry's host and never by the token server's.
    fn lookup(&self, state: &mut State) -> anyhow::Result<Lookup> {
        if let Some(lookup) = &state.lookup {
            return Ok(lookup.clone());
        }
        let lookup = match &self.ctx {
            Some(ctx) => credentials::find(ctx, self.host(), &self.repository)?,
            None => Lookup::default(),
        };
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
            realm.with_context(|| format!("{host} wants a token and does not say whose"))?;
        let realm = location::resolve(&self.origin, realm)?;
        let family = location::shares_credentials(host, location::host(&realm));
        let shown = lookup.credentials.as_ref().filter(|_| family);
        let plan = token::request(&realm, &challenge, &self.scopes, shown);
        let mut request = Request::new(plan.method, plan.url);
        if let Some(form) = &plan.form {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.reveal().as_bytes());
        }
        let server = location::shown(&realm);
        let asked = Instant::now();
        let answer = transport
            .insist(&request, plan.authorization.as_ref())
            .with_context(|| format!("no answer from the token server {server}"))?;
        if answer.status != 200 {
            let words = redact(&answer.words(), state);
            let error = self.denied(&lookup);
            let refusal = format!(
                "the token server {server} answers {} {words}",
                answer.status
            );
            return Err(if family || lookup.credentials.is_none() {
                error.context(refusal)
            } else {
                anyhow!(
                    "{refusal}: it is another host than {host}, whose credentials it is not shown"
                )
            });
        }
        let (token, lifetime) =
            token::read(&answer.body).with_context(|| format!("the token server {server}"))?;
        state.header = Some(token.bearer());
        // A tenth early, for requests that take their time.
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
