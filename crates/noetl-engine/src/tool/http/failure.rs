//! Failures of HTTP requests, and URLs in messages.

use reqwest::Url;

use super::request::Request;
use noetl_api::Failure;

/// Returns a URL for messages and results: without user name and password.
pub(super) fn display_url(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only for URLs that cannot have a password.
    url.set_password(None).ok();
    url.set_username("").ok();
    url.to_string()
}

/// Returns the failure of a request that got no response, or only a part of one.
pub(super) fn transport_failure(error: &reqwest::Error, request: &Request) -> Failure {
    let title = format!("{} {}", request.method, display_url(&request.url));
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    // Only the last cause says what happened.
    let cause = causes.pop().unwrap_or_else(|| "unknown cause".to_owned());
    if error.is_timeout() {
        return Failure::retryable("timeout", format!("{title} timed out: {cause}"));
    }
    let failure = Failure::retryable("connection", format!("{title} got no response: {cause}"));
    if cause.contains("certificate") {
        return Failure {
            retryable: false,
            ..failure.help("trust its certificate's issuer, or write `verify_ssl: false`")
        };
    }
    failure
}
