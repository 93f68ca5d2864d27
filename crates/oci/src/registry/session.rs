//! Requests to one registry: signed in, sent again after a temporary error, with redirects followed carefully.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow, bail, ensure};
use noetl_help::Help as _;
use ureq::Error;
use ureq::http::Method;

use crate::reference::is_loopback_host;
use crate::registry::auth::Auth;
use crate::registry::credentials::Keychain;
use crate::registry::location;
use crate::registry::transport::{Answer, Request, Transport, Tries, is_final};

/// How many redirects are followed; registries use one, to where they store blobs.
const REDIRECTS: usize = 5;

/// A registry, one repository of it and the sign-in there. Threads share it.
#[derive(Debug)]
pub(super) struct Session {
    transport: Transport,
    auth: Auth,
    /// Scheme, host and port.
    origin: String,
    /// Whether anything was ever answered: only then may a refused connection be temporary.
    answered: AtomicBool,
}

/// The outcome of one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// An answer of any status.
    Answered(Answer),
    /// No answer, or one that broke off.
    Lost(Error),
}

/// Returns whether an error is that a registry did not answer, as opposed to refusing.
pub fn is_no_answer(error: &anyhow::Error) -> bool {
    noetl_help::find::<Error>(error).is_some()
}

impl Session {
    /// Signs in when the registry asks for it. `scopes` are what tokens are asked for.
    pub(super) fn new(
        transport: Transport,
        keychain: Arc<dyn Keychain>,
        registry: &str,
        repository: &str,
        scopes: Vec<String>,
    ) -> Self {
        let host = match registry {
            // The name in images is not that of a server.
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if is_loopback_host(host) {
            "http"
        } else {
            "https"
        };
        let origin = format!("{scheme}://{host}");
        Self {
            auth: Auth::new(keychain, &origin, repository, scopes),
            transport,
            origin,
            answered: AtomicBool::new(false),
        }
    }

    /// Returns scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request until it has an answer that is not temporary; returns the last answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer, or no way to sign in.
    pub(super) fn send(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let mut tries = Tries::new();
        loop {
            let attempt = self.once(request)?;
            let wait = match &attempt {
                Attempt::Answered(answer) if answer.is_temporary() => {
                    tries.next(answer.retry_after())
                }
                Attempt::Answered(_) => None,
                Attempt::Lost(error) if self.is_final(error) => None,
                Attempt::Lost(_) => tries.next(None),
            };
            match (wait, attempt) {
                (Some(wait), _) => std::thread::sleep(wait),
                (None, Attempt::Answered(answer)) => return Ok(answer),
                (None, Attempt::Lost(error)) => return Err(self.no_answer(error, &request.url)),
            }
        }
    }

    /// Sends a request once, or twice when the first answer is that a token has expired.
    ///
    /// # Errors
    /// When there is no way to sign in, or a redirect leads nowhere.
    pub(super) fn once(&self, request: &Request<'_>) -> anyhow::Result<Attempt> {
        let mut request = request.clone();
        for _ in 0..=REDIRECTS {
            let attempt = self.signed_in(&request)?;
            let Attempt::Answered(answer) = attempt else {
                return Ok(attempt);
            };
            let reads = matches!(request.method, Method::GET | Method::HEAD);
            if !reads || !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(Attempt::Answered(answer));
            }
            let to = answer.header("location");
            let to = to.with_context(|| {
                format!("{} redirects to nowhere", location::shown(&request.url))
            })?;
            request.url = location::resolve(&request.url, to)?;
        }
        bail!("{} redirects in circles", location::shown(&request.url))
    }

    /// Returns the error of a request that had no answer.
    pub(super) fn no_answer(&self, error: Error, url: &str) -> anyhow::Error {
        anyhow!(error)
            .context(format!("no answer from {}", location::shown(url)))
            .help(format!("is the registry at {} running?", self.origin))
    }

    /// Returns the error of an answer with an unexpected status, with the registry's message without secrets.
    pub(super) fn refused(&self, answer: &Answer, doing: &str) -> anyhow::Error {
        let message = self.auth.redact(&answer.message());
        let what = format!(
            "cannot {doing}: {} {} {message}",
            location::shown(&answer.url),
            answer.status
        );
        let what = what.trim_end().to_owned();
        match answer.status {
            401 | 403 => self.auth.denial().context(what),
            status => anyhow!(what).help(remedy(status)),
        }
    }

    /// Returns whether trying again cannot bring an answer.
    pub(super) fn is_final(&self, error: &Error) -> bool {
        let refused = matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
        is_final(error) && !(refused && self.answered.load(Ordering::Relaxed))
    }

    /// Sends one request with `Authorization`, which goes to the registry's own host alone.
    fn signed_in(&self, request: &Request<'_>) -> anyhow::Result<Attempt> {
        let is_registry = location::origin(&request.url) == self.origin;
        if !is_registry {
            return Ok(attempt(self.transport.exchange(request, None)));
        }
        let used = self.auth.header(&self.transport)?;
        let first = attempt(self.transport.exchange(request, used.as_ref()));
        let Attempt::Answered(answer) = first else {
            return Ok(first);
        };
        self.answered.store(true, Ordering::Relaxed);
        if answer.status != 401 {
            return Ok(Attempt::Answered(answer));
        }
        let renewed = self.auth.renew(&self.transport, &answer, used.as_ref());
        renewed.with_context(|| format!("cannot sign in at {}", self.origin))?;
        let header = self.auth.header(&self.transport)?;
        Ok(attempt(self.transport.exchange(request, header.as_ref())))
    }
}

impl Answer {
    /// Fails unless the digest that the registry says it stored, when it says one, is `digest`.
    pub(super) fn agrees_on(&self, digest: &str) -> anyhow::Result<()> {
        let given = self.header("docker-content-digest").unwrap_or(digest);
        ensure!(
            given == digest,
            "{} took {digest} for {given}: something on the way changes what is sent",
            location::host(&self.url)
        );
        Ok(())
    }
}

/// Returns what can be done about a status that a registry answers.
fn remedy(status: u16) -> &'static str {
    match status {
        404 => {
            "check the registry's and the repository's names: some registries want a repository made first"
        }
        405 => {
            "the registry is read-only, for its maintenance perhaps: push again after it, or to another --registry"
        }
        413 => "something before the registry takes no requests of this size: raise its limit",
        429 | 500.. => "again once the registry is well: what is there already is not sent twice",
        _ => "look into the registry's log: it does not take what the OCI specification describes",
    }
}

fn attempt(result: Result<Answer, Error>) -> Attempt {
    result.map_or_else(Attempt::Lost, Attempt::Answered)
}
