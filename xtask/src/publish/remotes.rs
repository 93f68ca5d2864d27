//! Requests to the services of a release: with their tokens, compared with the plan before they are sent, and written to
//! the transcript.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use noetl_oci::registry::Method;
use noetl_oci::registry::{
    Answer, Request as HttpRequest, RequestBody, Secret, Transport, location,
};
use serde::de::DeserializeOwned;

use crate::host::ctx::{Ctx, Tokens};
use crate::host::files;
use crate::publish::endpoints::{Endpoints, Service};
use crate::publish::oidc;
use crate::publish::request::{Change, Request, Values};

/// How many redirects of a download are followed.
const REDIRECTS: usize = 5;
/// The version of GitHub's REST API.
const GITHUB_VERSION: &str = "2022-11-28";

/// All services of a release.
pub(crate) struct Remotes<'a> {
    /// The checkout.
    pub ctx: &'a Ctx,
    /// Where the services are.
    pub endpoints: Endpoints,
    /// The repository at GitHub, such as `noetl/noetl`.
    pub repository: String,
    tokens: Tokens,
    transport: Transport,
    allowed: Option<BTreeSet<Change>>,
    transcript: Option<Utf8PathBuf>,
    made: Mutex<Vec<Change>>,
}

/// An answer that refuses a request, or that never came.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The status; `None` when there was no answer.
    pub status: Option<u16>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    what: String,
}

impl Refused {
    /// Whether the same request may succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status
            .is_none_or(|it| matches!(it, 408 | 425 | 429 | 500 | 502..=504 | 520..=599))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refused {}

impl<'a> Remotes<'a> {
    /// Returns the services, to which nothing may be sent that changes something until [`Self::allow`].
    pub(crate) fn new(ctx: &'a Ctx, endpoints: Endpoints, repository: &str) -> Self {
        Self {
            ctx,
            endpoints,
            repository: repository.to_owned(),
            tokens: ctx.tokens.clone(),
            transport: Transport::new(concat!("noetl-xtask/", env!("CARGO_PKG_VERSION"))),
            allowed: None,
            transcript: None,
            made: Mutex::default(),
        }
    }

    /// Allows these changes and no others, and appends those that are made to `transcript`.
    pub(crate) fn allow(self, changes: BTreeSet<Change>, transcript: Utf8PathBuf) -> Self {
        Self {
            allowed: Some(changes),
            transcript: Some(transcript),
            ..self
        }
    }

    /// Returns the changes that were made, in order.
    pub(crate) fn made(&self) -> Vec<Change> {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fails unless the plan has this change, and notes it. Called before each change.
    ///
    /// # Errors
    /// When the plan does not have it, or the transcript cannot be written.
    pub(crate) fn permit(&self, change: &Change) -> anyhow::Result<()> {
        let is_planned = self.allowed.as_ref().is_some_and(|it| it.contains(change));
        if !is_planned {
            return Err(anyhow!(
                "the plan does not have this change: {}",
                change.request
            ))
            .help("nothing was sent; run `cargo xtask release` to see the plan of today's files");
        }
        if let Some(path) = &self.transcript {
            files::append(path, &format!("{}\n", serde_json::to_string(change)?))?;
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(change.clone());
        Ok(())
    }

    /// Sends a request that changes something, with values in the places of their names.
    ///
    /// # Errors
    /// [`Refused`] when the service refuses or does not answer; when the plan does not have the change.
    pub(crate) fn send(&self, request: &Request, values: Values<'_>) -> anyhow::Result<Answer> {
        self.permit(&request.change()?)?;
        self.send_unplanned(request, values)
    }

    /// Sends a request that only signs in, marks or undoes.
    ///
    /// # Errors
    /// [`Refused`] when the service refuses or does not answer.
    pub(crate) fn send_unplanned(
        &self,
        request: &Request,
        values: Values<'_>,
    ) -> anyhow::Result<Answer> {
        let url = self
            .endpoints
            .url(request.service, &request.filled_path(values));
        let bytes = request.bytes(values)?;
        let mut http = HttpRequest::new(request.method.clone(), url)
            .header("content-type", request.content_type.clone());
        if !request.body.is_empty() || request.method != Method::DELETE {
            http = http.body(RequestBody::Bytes(&bytes));
        }
        let authorization = self.authorization(request.service, &request.path)?;
        let answer = self.exchange(request.service, http, authorization.as_ref())?;
        self.accept(request.service, answer)
    }

    /// Reads a document; `None` when there is none.
    ///
    /// # Errors
    /// [`Refused`] when the service refuses or does not answer; when the document has another form.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
    ) -> anyhow::Result<Option<T>> {
        let accept = match service {
            Service::PypiIndex => "application/vnd.pypi.simple.v1+json, text/html;q=0.5",
            _ => "application/json",
        };
        let Some(answer) = self.get(service, path, accept)? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&answer.body);
        read.with_context(|| format!("{service} answers {path} with an unknown document"))
            .map(Some)
    }

    /// Sends a GET; `None` when the service has nothing there. Redirects are followed without credentials.
    ///
    /// # Errors
    /// [`Refused`] when the service refuses or does not answer.
    pub(crate) fn get(
        &self,
        service: Service,
        path: &str,
        accept: &str,
    ) -> anyhow::Result<Option<Answer>> {
        let mut authorization = self.authorization(service, path)?;
        let mut url = self.endpoints.url(service, path);
        for _ in 0..=REDIRECTS {
            let request = HttpRequest::new(Method::GET, &url).header("accept", accept);
            let answer = self.exchange(service, request, authorization.as_ref())?;
            match answer.status {
                404 | 410 => return Ok(None),
                301 | 302 | 303 | 307 | 308 => {
                    let to = answer.header("location");
                    let to = to.with_context(|| format!("{service} redirects to nowhere"))?;
                    url = location::resolve(&url, to)?;
                    authorization = None;
                }
                _ => return self.accept(service, answer).map(Some),
            }
        }
        Err(anyhow!(
            "{service} redirects {path} more than {REDIRECTS} times"
        ))
    }

    fn exchange(
        &self,
        service: Service,
        request: HttpRequest<'_>,
        authorization: Option<&Secret>,
    ) -> anyhow::Result<Answer> {
        let is_github = matches!(service, Service::Github | Service::GithubUploads);
        let request = match is_github {
            true => request.header("x-github-api-version", GITHUB_VERSION),
            false => request,
        };
        self.transport
            .exchange(&request, authorization)
            .map_err(|error| {
                let method = &request.method;
                let url = location::shown(&request.url);
                let refused = Refused {
                    status: None,
                    retry_after: None,
                    what: format!("{service}: no answer to {method} {url}: {error}"),
                };
                anyhow!(refused).help(format!(
                    "check that {} can be reached",
                    location::origin(url)
                ))
            })
    }

    fn accept(&self, service: Service, answer: Answer) -> anyhow::Result<Answer> {
        let status = answer.status;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let url = location::shown(&answer.url);
        let what = format!("{service}: {url}: {status} {}", answer.message());
        let refused = Refused {
            status: Some(status),
            retry_after: answer.retry_after(),
            what: what.trim_end().to_owned(),
        };
        Err(anyhow!(refused).help(remedy(service, status)))
    }

    /// Returns the credentials for a path of a service, if there are any.
    fn authorization(&self, service: Service, path: &str) -> anyhow::Result<Option<Secret>> {
        let tokens = &self.tokens;
        let own = format!("/repos/{}", self.repository);
        Ok(match service {
            Service::Github | Service::GithubUploads => {
                let is_other = path.starts_with("/repos/") && !path.starts_with(&own);
                let token = match &tokens.channels {
                    Some(token) if is_other => Some(token),
                    _ => tokens.github.as_ref(),
                };
                token.map(Secret::bearer)
            }
            Service::Pypi => oidc::token(self, service, path)?.map(|it| it.basic("__token__")),
            Service::Npm => oidc::token(self, service, path)?.map(|it| it.bearer()),
            Service::Crates => oidc::token(self, service, path)?,
            Service::PypiIndex | Service::CratesIndex => None,
        })
    }

    /// Whether there is a token for a service, or an identity to get one with.
    pub(crate) fn has_token(&self, service: Service) -> bool {
        match service {
            Service::Github | Service::GithubUploads => self.tokens.github.is_some(),
            other => self.given_token(other).is_some() || self.has_identity(),
        }
    }

    /// Whether this is a workflow that can prove its identity.
    pub(crate) fn has_identity(&self) -> bool {
        self.tokens.identity.is_some()
    }

    /// Returns the token of the environment for a service.
    pub(super) fn given_token(&self, service: Service) -> Option<Secret> {
        match service {
            Service::Pypi => self.tokens.pypi.clone(),
            Service::Npm => self.tokens.npm.clone(),
            Service::Crates => self.tokens.crates.clone(),
            _ => None,
        }
    }

    /// Returns the address and the token by which a workflow gets an identity, in a workflow that may have one.
    pub(super) fn identity(&self) -> Option<&(String, Secret)> {
        self.tokens.identity.as_ref()
    }

    /// Sends a request to any URL with one credential; for signing in.
    pub(super) fn sign_in(
        &self,
        service: Service,
        request: HttpRequest<'_>,
        authorization: Option<&Secret>,
    ) -> anyhow::Result<Answer> {
        let answer = self.exchange(service, request, authorization)?;
        self.accept(service, answer)
    }
}

/// Returns the help for a status.
fn remedy(service: Service, status: u16) -> String {
    let variable = match service {
        Service::Github | Service::GithubUploads => {
            "GITHUB_TOKEN, and NOETL_CHANNELS_TOKEN for the repositories of package managers"
        }
        Service::Pypi | Service::PypiIndex => "PYPI_TOKEN",
        Service::Npm => "NPM_TOKEN",
        Service::Crates | Service::CratesIndex => "CARGO_REGISTRY_TOKEN",
    };
    match status {
        401 => format!("the token is missing, wrong or expired: set {variable}"),
        403 | 404 => format!("the token may not do this: check the scopes of {variable}"),
        _ => "run it again with --resume: it goes on where it stopped".to_owned(),
    }
}

/// Fails unless a text is a name that can be part of a path of a service.
pub(crate) fn path_part(name: &str) -> anyhow::Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+~@/".contains(&byte);
    ensure!(name.bytes().all(is_plain), "{name} cannot be part of a URL");
    Ok(name)
}
