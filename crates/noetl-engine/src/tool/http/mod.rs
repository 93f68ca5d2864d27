//! The `http` tool: one request, redirects included.

mod auth;
mod client;
mod request;
mod response;

use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value as Json;

use self::request::Request;
use super::{Call, Failure, Host};

const DEFAULT_TIMEOUT: f64 = 30.0;
const LONGEST_TIMEOUT: f64 = 600.0;
const MOST_REDIRECTS: usize = 10;

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
    let client = client::client(host.machine(), verify)?;
    let title = format!("{} {}", request.method, shown(&request.url));
    let begun = Instant::now();
    let exchange = async {
        let response = send(&client, &mut request, follow).await?;
        response::read(response, &request, bound, begun).await
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::passing(
            "timeout",
            format!(
                "no full response to {title} within {} s",
                limit.as_secs_f64()
            ),
        )),
    }
}

/// `url` as messages and results may show it: without a password.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only for URLs that cannot have one.
    url.set_password(None).ok();
    url.set_username("").ok();
    url.to_string()
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
    Ok(Duration::from_secs_f64(seconds.min(LONGEST_TIMEOUT)))
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

/// Sends the request and follows where it is sent on to, which `request` then names.
async fn send(client: &Client, request: &mut Request, follow: bool) -> Result<Response, Failure> {
    for _ in 0..=MOST_REDIRECTS {
        let response = request
            .build(client)
            .send()
            .await
            .map_err(|error| lost(&error, request))?;
        if !follow || !request.redirect(&response)? {
            return Ok(response);
        }
    }
    Err(Failure::new(
        "http",
        format!(
            "{} {} was redirected more than {MOST_REDIRECTS} times",
            request.method,
            shown(&request.url)
        ),
    ))
}

impl Request {
    /// Becomes the request that `response` asks for instead, if it does.
    fn redirect(&mut self, response: &Response) -> Result<bool, Failure> {
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
                        "{} redirects to an address that is no HTTP URL",
                        shown(&self.url)
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
            self.forget_secrets();
        }
        self.url = target;
        Ok(true)
    }

    /// Removes what only the first server was to see.
    fn forget_secrets(&mut self) {
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

/// The failure of a request that got no response, or only part of one.
fn lost(error: &reqwest::Error, request: &Request) -> Failure {
    let title = format!("{} {}", request.method, shown(&request.url));
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    // Only the last one says what happened; those before it repeat that something did.
    let why = causes.pop().unwrap_or_else(|| "unknown cause".to_owned());
    if error.is_timeout() {
        return Failure::passing("timeout", format!("{title} timed out: {why}"));
    }
    let failure = Failure::passing("connection", format!("{title} got no response: {why}"));
    if why.contains("certificate") {
        return Failure {
            retryable: false,
            ..failure.help("trust its certificate's issuer, or write `verify_ssl: false`")
        };
    }
    failure
}

#[cfg(test)]
mod tests;
