//! Talking to one registry: signed in, patient with what is wrong for the moment, and careful with whom it follows.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow, bail, ensure};
use ureq::Error;
use ureq::http::Method;

use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::reference::is_loopback_host;
use crate::registry::auth::Auth;
use crate::registry::location;
use crate::registry::transport::{Answer, Request, Transport, Tries, is_final};

/// How many redirects are followed; registries use one, to where they store blobs.
const REDIRECTS: usize = 5;

/// A registry, one repository of it and who we are there. Threads share it.
#[derive(Debug)]
pub(super) struct Session {
    transport: Transport,
    auth: Auth,
    /// Scheme, host and port.
    origin: String,
    /// Whether anything was ever answered: only then is a refused connection something that passes.
    answered: AtomicBool,
}

/// What became of one attempt that nothing was repeated for.
#[derive(Debug)]
pub(super) enum Attempt {
    Answered(Answer),
    /// No answer, or one that broke off.
    Lost(Error),
}

/// Whether an error is that there was no answer, and not one that nobody likes.
pub(crate) fn is_silence(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Error>())
}

impl Session {
    /// Signs in with what `ctx` knows, or without it as a stranger. `scopes` are what tokens are asked for.
    pub(super) fn new(
        ctx: Option<&Ctx>,
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
            auth: Auth::new(ctx, &origin, repository, scopes),
            transport: Transport::new(),
            origin,
            answered: AtomicBool::new(false),
        }
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request until it is answered for good; gives the last answer, whatever its status.
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
                Attempt::Lost(error) if self.is_hopeless(error) => None,
                Attempt::Lost(_) => tries.next(None),
            };
            match wait {
                Some(wait) => std::thread::sleep(wait),
                None => return self.answer(attempt, &request.url),
            }
        }
    }

    /// Sends a request once, or twice when the first time only says that a token has expired.
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

    /// The answer of an attempt, or the error that there was none.
    pub(super) fn answer(&self, attempt: Attempt, url: &str) -> anyhow::Result<Answer> {
        match attempt {
            Attempt::Answered(answer) => Ok(answer),
            Attempt::Lost(error) => Err(anyhow!(error))
                .with_context(|| format!("no answer from {}", location::shown(url)))
                .help(format!("is the registry at {} running?", self.origin)),
        }
    }

    /// The error of an answer that is none of those hoped for, in the registry's own words without secrets.
    pub(super) fn refused(&self, answer: &Answer, doing: &str) -> anyhow::Error {
        let words = self.auth.redact(&answer.words());
        let what = format!(
            "cannot {doing}: {} {} {words}",
            location::shown(&answer.url),
            answer.status
        );
        match answer.status {
            401 | 403 => self.auth.denial().context(what.trim_end().to_owned()),
            status => remedied(anyhow!(what.trim_end().to_owned()), status),
        }
    }

    /// Whether an answer that did not come will never come.
    pub(super) fn is_hopeless(&self, error: &Error) -> bool {
        let refused = matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
        is_final(error) && !(refused && self.answered.load(Ordering::Relaxed))
    }

    /// One request with our `Authorization`, which no other host is shown.
    fn signed_in(&self, request: &Request<'_>) -> anyhow::Result<Attempt> {
        let ours = location::origin(&request.url) == self.origin;
        if !ours {
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
    /// Fails unless the registry's word on the digest of what it took, when it gives one, is ours.
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

/// An error with what people can do about the status that a registry answers.
fn remedied(error: anyhow::Error, status: u16) -> anyhow::Error {
    let remedy = match status {
        404 => {
            "check the registry's and the repository's names: some registries want a repository made first"
        }
        405 => {
            "the registry is read-only, for its maintenance perhaps: push again after it, or to another --registry"
        }
        413 => "something before the registry takes no requests of this size: raise its limit",
        429 | 500.. => "again once the registry is well: what is there already is not sent twice",
        _ => "look into the registry's log: it does not take what the OCI specification describes",
    };
    Err::<(), _>(error)
        .help(remedy)
        .expect_err("it was made from an error")
}

fn attempt(result: Result<Answer, Error>) -> Attempt {
    result.map_or_else(Attempt::Lost, Attempt::Answered)
}
