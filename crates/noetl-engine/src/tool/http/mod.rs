//! The `http` tool: one request, redirects included.

mod auth;
mod client;
mod coding;
mod failure;
mod request;
mod response;

use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, LOCATION};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value as Json;

use self::failure::{display_url, transport_failure};
use self::request::Request;
use super::call::Call;
use crate::host::Host;
use noetl_api::Failure;

/// Seconds.
const DEFAULT_TIMEOUT: f64 = 30.0;
/// Seconds.
const MAX_TIMEOUT: f64 = 600.0;
const MAX_REDIRECTS: usize = 10;

/// Sends the request of `call` and reads the response.
pub(super) async fn run(call: &Call<'_>, host: &dyn Host) -> Result<Json, Failure> {
    let mut request = Request::of(call)?;
    if let Some((name, value)) = auth::header(call, host).await? {
        request.secret = Some(name.clone());
        request.headers.insert(name, value);
    }
    let verify = flag(call, &["verify_ssl", "verify"], true)?;
    let follow = flag(call, &["follow_redirects"], true)?;
    let bound = request::byte_bound(call)?;
    let limit = timeout(call)?;
    let client = client::client(host.tool_environment(), verify)?;
    let title = format!("{} {}", request.method, display_url(&request.url));
    call.note(host, &title);
    let begun = Instant::now();
    let exchange = async {
        let response = send(&client, &mut request, follow).await?;
        response::read(response, &request, bound, begun).await
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(outcome) => {
            if let Some(status) = outcome.as_ref().ok().and_then(|it| it["status"].as_u64()) {
                let time = begun.elapsed().as_millis();
                call.note(host, &format!("status {status} after {time} ms"));
            }
            outcome
        }
        Err(_) => Err(Failure::retryable(
            "timeout",
            format!(
                "no full response to {title} within {} s",
                limit.as_secs_f64()
            ),
        )),
    }
}

fn timeout(call: &Call<'_>) -> Result<Duration, Failure> {
    let seconds = match call.text("timeout") {
        None => call
            .timeout
            .map_or(DEFAULT_TIMEOUT, |limit| limit.as_secs_f64()),
        Some(text) => text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|seconds| *seconds > 0.0)
            .ok_or_else(|| {
                Failure::new(
                    "config",
                    format!("`{text}` in the field `timeout` is not a number of seconds"),
                )
            })?,
    };
    Ok(Duration::from_secs_f64(seconds.min(MAX_TIMEOUT)))
}

fn flag(call: &Call<'_>, names: &[&str], default: bool) -> Result<bool, Failure> {
    match call.first_text(names).as_deref() {
        None => Ok(default),
        Some("true" | "True") => Ok(true),
        Some("false" | "False") => Ok(false),
        Some(other) => Err(Failure::new(
            "config",
            format!(
                "`{other}` in the field `{}` is neither true nor false",
                names[0]
            ),
        )),
    }
}

/// Sends the request and follows redirects; `request` is then the last one.
async fn send(client: &Client, request: &mut Request, follow: bool) -> Result<Response, Failure> {
    for _ in 0..=MAX_REDIRECTS {
        let response = request
            .build(client)
            .send()
            .await
            .map_err(|error| transport_failure(&error, request))?;
        if !follow || !request.follow_redirect(&response)? {
            return Ok(response);
        }
    }
    Err(Failure::new(
        "http",
        format!(
            "{} {} was redirected more than {MAX_REDIRECTS} times",
            request.method,
            display_url(&request.url)
        ),
    ))
}

impl Request {
    /// Changes the request to the one that a response redirects to; returns false when it does not.
    fn follow_redirect(&mut self, response: &Response) -> Result<bool, Failure> {
        let status = response.status();
        let rewrites = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(false),
        };
        let Some(location) = response.headers().get(LOCATION) else {
            return Ok(false);
        };
        let target = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|location| self.url.join(location).ok())
            .filter(|target| ["http", "https"].contains(&target.scheme()))
            .ok_or_else(|| {
                Failure::new(
                    "http",
                    format!(
                        "{} redirects to an address that is not an HTTP URL",
                        display_url(&self.url)
                    ),
                )
            })?;
        if rewrites {
            self.method = Method::GET;
            self.body = None;
            for name in ["content-type", "content-length", "content-encoding"] {
                self.headers.remove(name);
            }
        }
        if target.origin() != self.url.origin() {
            self.remove_secrets();
        }
        self.url = target;
        Ok(true)
    }

    /// Removes the headers that are meant for the first server only.
    fn remove_secrets(&mut self) {
        let secret = |name: &HeaderName| {
            let text = name.as_str();
            Some(name) == self.secret.as_ref()
                || [
                    "auth",
                    "cookie",
                    "key",
                    "password",
                    "secret",
                    "signature",
                    "token",
                ]
                .iter()
                .any(|word| text.contains(word))
        };
        let names: Vec<HeaderName> = self
            .headers
            .keys()
            .filter(|name| secret(name))
            .cloned()
            .collect();
        for name in names {
            self.headers.remove(name);
        }
        self.headers.remove(reqwest::header::HOST);
    }
}

#[cfg(test)]
mod tests;
