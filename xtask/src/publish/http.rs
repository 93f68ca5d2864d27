//! Single HTTP requests to the services of a release: sent, and refusals turned into errors with help.

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use noetl_help::Help as _;
use noetl_oci::registry::{Answer, Network, Request as HttpRequest, Secret, Transport, location};

use crate::publish::endpoints::{Endpoints, Service};

/// The version of GitHub's REST API.
const GITHUB_VERSION: &str = "2022-11-28";

/// Connections to the services, without credentials.
#[derive(Debug)]
pub(crate) struct Http {
    /// Where the services are.
    pub endpoints: Endpoints,
    transport: Transport,
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

impl Http {
    /// Returns connections, which are opened when they are needed.
    pub(super) fn new(endpoints: Endpoints, network: Network) -> Self {
        let transport = Transport::new(network);
        Self {
            endpoints,
            transport,
        }
    }

    /// Sends a request. Returns the answer with any status.
    ///
    /// # Errors
    /// [`Refused`] when there is no answer.
    pub(super) fn exchange(
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

    /// Returns an answer that is no refusal.
    ///
    /// # Errors
    /// [`Refused`] when the status is none of success.
    pub(super) fn accept(service: Service, answer: Answer) -> anyhow::Result<Answer> {
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
