//! Sends requests to one registry: signs in, repeats them after temporary failures, and follows redirects.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;
use ureq::Error;
use ureq::http::Method;

use crate::reference::is_loopback_host;
use crate::registry::auth::{Auth, SignIn};
use crate::registry::location;
use crate::registry::remedy::Cause;
use crate::registry::transport::{Answer, Request, Transport, is_final};
use crate::registry::tries::Tries;

/// How many redirects are followed; registries use one, to their storage of blobs.
const REDIRECTS: usize = 5;

/// Access to one repository of a registry, shared by threads.
#[derive(Debug)]
pub(super) struct Session {
    transport: Transport,
    auth: Auth,
    /// Scheme, host and port.
    origin: String,
    /// Whether the registry has answered before; only then a refused connection may be temporary.
    answered: AtomicBool,
}

/// The result of sending a request once.
#[derive(Debug)]
pub(super) enum Attempt {
    /// An answer with any status.
    Answered(Answer),
    /// No answer, or an incomplete one.
    Lost(Error),
}

/// Returns whether the cause of an error is that a registry did not answer, and not that it refused a request.
pub fn is_no_answer(error: &anyhow::Error) -> bool {
    noetl_help::find::<Error>(error).is_some()
}

impl Session {
    /// Returns a session that signs in when the registry requires it.
    pub(super) fn new(transport: Transport, registry: &str, sign_in: SignIn) -> Self {
        let host = match registry {
            // The registry of image names on Docker Hub is not the host of its server.
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
            auth: Auth::new(sign_in, &origin),
            transport,
            origin,
            answered: AtomicBool::new(false),
        }
    }

    /// Returns scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request, again after temporary failures; returns the last answer, with any status.
    ///
    /// # Errors
    /// When there is no answer, or signing in fails.
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

    /// Sends a request once, or again after signing in when the answer is 401. Follows redirects: 307 and 308 with the
    /// same method and body (RFC 9110, section 15.4), others only of GET and HEAD.
    ///
    /// # Errors
    /// When signing in fails, or a redirect cannot be followed.
    pub(super) fn once(&self, request: &Request<'_>) -> anyhow::Result<Attempt> {
        let mut request = request.clone();
        let mut seen = vec![request.url.clone()];
        for _ in 0..=REDIRECTS {
            let attempt = self.signed_in(&request)?;
            let Attempt::Answered(answer) = attempt else {
                return Ok(attempt);
            };
            let reads = matches!(request.method, Method::GET | Method::HEAD);
            let is_followed = match answer.status {
                307 | 308 => true,
                301..=303 => reads,
                _ => false,
            };
            if !is_followed {
                return Ok(Attempt::Answered(answer));
            }
            let from = location::shown(&request.url);
            let to = answer.header("location");
            let to = to
                .with_context(|| format!("{from} redirects without a Location header"))
                .and_then(|to| location::resolve(&request.url, to));
            let to = to.help(Cause::Redirect.help(location::host(&request.url)))?;
            if seen.contains(&to) {
                break;
            }
            seen.push(to.clone());
            request.url = to;
        }
        Err(anyhow!(
            "{} redirects in a loop, or more than {REDIRECTS} times",
            location::shown(&request.url)
        ))
        .help(Cause::Redirect.help(location::host(&request.url)))
    }

    /// Returns the error of a request that had no answer.
    pub(super) fn no_answer(&self, error: Error, url: &str) -> anyhow::Error {
        let help = Cause::of_error(&error).help(location::host(url));
        anyhow!(error)
            .context(format!("no answer from {}", location::shown(url)))
            .help(help)
    }

    /// Returns the error of an answer with an unexpected status; it contains the registry's message without secrets.
    pub(super) fn refused(&self, answer: &Answer, doing: &str) -> anyhow::Error {
        let message = self.auth.redact(&answer.message());
        let what = format!(
            "cannot {doing}: {} {} {message}",
            location::shown(&answer.url),
            answer.status
        );
        let what = what.trim_end().to_owned();
        if answer.status == 401 {
            return self.auth.denial().context(what);
        }
        match Cause::of_answer(answer.status, &message) {
            // Without credentials, the remedy is to sign in.
            Cause::Permission if !self.auth.has_credentials() => self.auth.denial().context(what),
            cause => anyhow!(what).help(cause.help(location::host(&answer.url))),
        }
    }

    /// Returns whether trying again cannot help.
    pub(super) fn is_final(&self, error: &Error) -> bool {
        let refused = matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
        is_final(error) && !(refused && self.answered.load(Ordering::Relaxed))
    }

    /// Sends a request, with `Authorization` only when it is to the registry's own host.
    fn signed_in(&self, request: &Request<'_>) -> anyhow::Result<Attempt> {
        if !location::is_same_host(&self.origin, &request.url) {
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
    /// Fails when the registry names another digest than `digest` for what it stored.
    pub(super) fn agrees_on(&self, digest: &str) -> anyhow::Result<()> {
        let given = self.header("docker-content-digest").unwrap_or(digest);
        ensure!(
            given == digest,
            "{} received {digest} as {given}: a proxy may have changed the content",
            location::host(&self.url)
        );
        Ok(())
    }
}

fn attempt(result: Result<Answer, Error>) -> Attempt {
    result.map_or_else(Attempt::Lost, Attempt::Answered)
}
