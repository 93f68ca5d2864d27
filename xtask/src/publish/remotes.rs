//! Requests to the services of a release: with their tokens, compared with the plan before they are sent, and written to
//! the transcript.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow, ensure};
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use noetl_oci::registry::Method;
use noetl_oci::registry::{Answer, Request as HttpRequest, RequestBody, Secret, location};
use serde::de::DeserializeOwned;

use crate::host::ctx::{Ctx, Tokens};
use crate::host::files;
use crate::publish::endpoints::{Endpoints, Service};
use crate::publish::http::Http;
use crate::publish::oidc;
use crate::publish::request::{Change, Request, Values};

/// How many redirects of a download are followed.
const REDIRECTS: usize = 5;

/// All services of a release.
pub(crate) struct Remotes<'a> {
    /// The checkout.
    pub ctx: &'a Ctx,
    /// The repository at GitHub, such as `noetl/noetl`.
    pub repository: String,
    tokens: Tokens,
    http: Http,
    allowed: Option<BTreeSet<Change>>,
    transcript: Option<Utf8PathBuf>,
    made: Mutex<Vec<Change>>,
}

impl<'a> Remotes<'a> {
    /// Returns the services, to which nothing may be sent that changes something until [`Self::allow`].
    pub(crate) fn new(ctx: &'a Ctx, endpoints: Endpoints, repository: &str) -> Self {
        Self {
            ctx,
            repository: repository.to_owned(),
            tokens: ctx.tokens.clone(),
            http: Http::new(endpoints, ctx.network.clone()),
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

    /// Returns where the services are.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.http.endpoints
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
    /// [`Refused`](crate::publish::http::Refused) when the service refuses or does not answer; when the plan does not have the change.
    pub(crate) fn send(&self, request: &Request, values: Values<'_>) -> anyhow::Result<Answer> {
        self.permit(&request.change()?)?;
        self.send_unplanned(request, values)
    }

    /// Sends a request that only signs in, marks or undoes.
    ///
    /// # Errors
    /// [`Refused`](crate::publish::http::Refused) when the service refuses or does not answer.
    pub(crate) fn send_unplanned(
        &self,
        request: &Request,
        values: Values<'_>,
    ) -> anyhow::Result<Answer> {
        let url = self
            .http
            .endpoints
            .url(request.service, &request.filled_path(values));
        let bytes = request.bytes(values)?;
        let mut http = HttpRequest::new(request.method.clone(), url)
            .header("content-type", request.content_type.clone());
        if !request.body.is_empty() || request.method != Method::DELETE {
            http = http.body(RequestBody::Bytes(&bytes));
        }
        let authorization = self.authorization(request.service, &request.path)?;
        let answer = self
            .http
            .exchange(request.service, http, authorization.as_ref())?;
        Http::accept(request.service, answer)
    }

    /// Reads a document; `None` when there is none.
    ///
    /// # Errors
    /// [`Refused`](crate::publish::http::Refused) when the service refuses or does not answer; when the document has another form.
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
    /// [`Refused`](crate::publish::http::Refused) when the service refuses or does not answer.
    pub(crate) fn get(
        &self,
        service: Service,
        path: &str,
        accept: &str,
    ) -> anyhow::Result<Option<Answer>> {
        let mut authorization = self.authorization(service, path)?;
        let mut url = self.http.endpoints.url(service, path);
        for _ in 0..=REDIRECTS {
            let request = HttpRequest::new(Method::GET, &url).header("accept", accept);
            let answer = self
                .http
                .exchange(service, request, authorization.as_ref())?;
            match answer.status {
                404 | 410 => return Ok(None),
                301 | 302 | 303 | 307 | 308 => {
                    let to = answer.header("location");
                    let to = to.with_context(|| format!("{service} redirects to nowhere"))?;
                    url = location::resolve(&url, to)?;
                    authorization = None;
                }
                _ => return Http::accept(service, answer).map(Some),
            }
        }
        Err(anyhow!(
            "{service} redirects {path} more than {REDIRECTS} times"
        ))
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
            Service::Pypi => oidc::token(&self.http, &self.tokens, service, path)?
                .map(|it| it.basic("__token__")),
            Service::Npm => {
                oidc::token(&self.http, &self.tokens, service, path)?.map(|it| it.bearer())
            }
            Service::Crates => oidc::token(&self.http, &self.tokens, service, path)?,
            Service::PypiIndex | Service::CratesIndex => None,
        })
    }

    /// Whether there is a token for a service, or an identity to get one with.
    pub(crate) fn has_token(&self, service: Service) -> bool {
        match service {
            Service::Github | Service::GithubUploads => self.tokens.github.is_some(),
            other => oidc::given(&self.tokens, other).is_some() || self.has_identity(),
        }
    }

    /// Whether this is a workflow that can prove its identity.
    pub(crate) fn has_identity(&self) -> bool {
        self.tokens.identity.is_some()
    }
}

/// Fails unless a text is a name that can be part of a path of a service.
pub(crate) fn path_part(name: &str) -> anyhow::Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+~@/".contains(&byte);
    ensure!(name.bytes().all(is_plain), "{name} cannot be part of a URL");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use serde_json::json;

    #[test]
    fn a_change_that_the_plan_does_not_have_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let transcript = Utf8PathBuf::from_path_buf(folder.path().join("transcript")).unwrap();
        let ctx = fixtures::ctx();
        let body = json!({ "draft": false });
        let planned = Request::json(Service::Github, Method::PATCH, "/releases/{release}", body);
        let changed = json!({ "draft": true });
        let other = Request::json(
            Service::Github,
            Method::PATCH,
            "/releases/{release}",
            changed,
        );
        // Nothing listens there.
        let nowhere = "http://127.0.0.1:9".to_owned();
        let endpoints = Endpoints {
            git: String::new(),
            registry: String::new(),
            services: [(Service::Github, nowhere)].into(),
        };
        let remotes = Remotes::new(&ctx, endpoints, "noetl/noetl");
        let nothing = remotes.send(&planned, &[]).unwrap_err();
        assert!(
            nothing
                .to_string()
                .contains("the plan does not have this change")
        );
        let allowed = [planned.change().unwrap()].into();
        let remotes = remotes.allow(allowed, transcript.clone());
        let refused = remotes.send(&other, &[("release", "1")]).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("the plan does not have this change")
        );
        assert_eq!(remotes.made(), []);
        let sent = remotes.send(&planned, &[("release", "1")]).unwrap_err();
        assert!(sent.to_string().contains("no answer"), "{sent:#}");
        let line = serde_json::to_string(&planned.change().unwrap()).unwrap();
        assert_eq!(
            files::read_to_string(&transcript).unwrap(),
            format!("{line}\n")
        );
    }
}
