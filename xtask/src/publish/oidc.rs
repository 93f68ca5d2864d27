//! Trusted publishing: a workflow of GitHub Actions proves its identity to a registry and gets a token for some minutes.
//! Outside of one, tokens come from the environment.

use anyhow::Context as _;
use noetl_oci::registry::{Method, Request, RequestBody, Secret, location};
use serde_json::{Value, json};

use crate::host::ctx::Tokens;
use crate::publish::endpoints::Service;
use crate::publish::http::Http;

/// Returns a token for a registry of packages: that of the environment, or one for the identity of this workflow.
///
/// # Errors
/// When the registry does not know the workflow.
pub(super) fn token(
    http: &Http,
    tokens: &Tokens,
    service: Service,
    path: &str,
) -> anyhow::Result<Option<Secret>> {
    if let Some(token) = given(tokens, service) {
        return Ok(Some(token));
    }
    let Some((url, bearer)) = &tokens.identity else {
        return Ok(None);
    };
    let (audience, exchange) = match service {
        Service::Pypi => ("pypi".to_owned(), "/_/oidc/mint-token".to_owned()),
        Service::Crates => (
            "crates.io".to_owned(),
            "/api/v1/trusted_publishing/tokens".to_owned(),
        ),
        Service::Npm => {
            let package = path.trim_start_matches('/').split('/').next();
            let package = package.unwrap_or_default();
            let exchange = format!("/-/npm/v1/oidc/token/exchange/package/{package}");
            let url = http.endpoints.url(service, "");
            (format!("npm:{}", location::host(&url)), exchange)
        }
        _ => return Ok(None),
    };
    let joint = if url.contains('?') { '&' } else { '?' };
    let question = Request::new(Method::GET, format!("{url}{joint}audience={audience}"));
    let answer = http.exchange(service, question, Some(&bearer.bearer()))?;
    let answer = Http::accept(service, answer)?;
    let identity = text(&answer.body, "value").context("GitHub gave this workflow no identity")?;
    // The index of packages knows tokens, and not the server of uploads.
    let host = match service {
        Service::Pypi => Service::PypiIndex,
        other => other,
    };
    let (body, authorization) = match service {
        Service::Npm => (json!({}), Some(Secret::new(identity).bearer())),
        Service::Crates => (json!({ "jwt": identity }), None),
        _ => (json!({ "token": identity }), None),
    };
    let body = serde_json::to_vec(&body)?;
    let request = Request::new(Method::POST, http.endpoints.url(host, &exchange))
        .header("content-type", "application/json")
        .body(RequestBody::Bytes(&body));
    let answer = http.exchange(service, request, authorization.as_ref());
    let answer = answer.and_then(|answer| Http::accept(service, answer));
    let answer =
        answer.with_context(|| format!("{service} does not trust this workflow to publish"))?;
    let token = text(&answer.body, "token");
    let token = token.with_context(|| format!("{service} gave no token"))?;
    Ok(Some(Secret::new(token)))
}

/// Returns the token of the environment for a registry of packages.
pub(super) fn given(tokens: &Tokens, service: Service) -> Option<Secret> {
    match service {
        Service::Pypi => tokens.pypi.clone(),
        Service::Npm => tokens.npm.clone(),
        Service::Crates => tokens.crates.clone(),
        _ => None,
    }
}

fn text(body: &[u8], field: &str) -> Option<String> {
    let json: Value = serde_json::from_slice(body).ok()?;
    json[field].as_str().map(str::to_owned)
}
