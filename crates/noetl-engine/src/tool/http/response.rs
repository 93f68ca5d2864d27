//! The response: read up to a bound, and a failure when its status is one.

use std::time::Instant;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::coding::{self, CodingError};
use super::failure::{display_url, transport_failure};
use super::request::Request;
use crate::bounded_json::{self, JsonError};
use noetl_api::Failure;

/// Characters of a body that a message quotes.
const MAX_QUOTE: usize = 200;

/// Reads a response to its end and returns the tool's result, or a failure by the status.
pub(super) async fn read(
    response: Response,
    request: &Request,
    bound: u64,
    begun: Instant,
) -> Result<Json, Failure> {
    let status = response.status();
    let headers = response.headers().clone();
    let body = body(response, request, bound).await?;
    let body =
        coding::decode(&headers, body, bound).map_err(|error| undecoded(error, request, bound))?;
    let result = json!({
        "status_code": status.as_u16(),
        "status": status.as_u16(),
        "headers": headers_json(&headers),
        "url": display_url(&request.url),
        "elapsed": begun.elapsed().as_secs_f64(),
        "data": data(&headers, &body, request)?,
    });
    if status.is_success() {
        return Ok(result);
    }
    let (kind, retryable) = classify(status);
    let quote: String = coding::text(&headers, &body)
        .chars()
        .take(MAX_QUOTE)
        .collect();
    let title = format!(
        "HTTP {} from {} {}",
        status.as_u16(),
        request.method,
        display_url(&request.url)
    );
    let message = match quote.trim() {
        "" => title,
        quote => format!("{title}: {quote}"),
    };
    Err(Failure {
        retryable,
        status: Some(status.as_u16()),
        code: Some(Json::from(status.as_u16())),
        retry_after: retry_after(&headers),
        result: Some(result),
        ..Failure::new(kind, message)
    })
}

async fn body(mut response: Response, request: &Request, bound: u64) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| transport_failure(&error, request))?
    {
        if (body.len() + chunk.len()) as u64 > bound {
            return Err(too_large(request, bound));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(request: &Request, bound: u64) -> Failure {
    let from = format!("{} {}", request.method, display_url(&request.url));
    let message = format!("the response to {from} is larger than {bound} bytes");
    Failure::new("http", message).help("ask for less, or raise the field `max_bytes`")
}

/// Returns the failure of a body that cannot be decoded.
fn undecoded(error: CodingError, request: &Request, bound: u64) -> Failure {
    let from = format!("{} {}", request.method, display_url(&request.url));
    match error {
        CodingError::TooLarge => too_large(request, bound),
        CodingError::Damaged(reason) => Failure::new(
            "http",
            format!("the response to {from} cannot be read: {reason}"),
        ),
        CodingError::Unknown(coding) => Failure::new(
            "http",
            format!("the response to {from} has the content coding `{coding}`, which is not known"),
        )
        .help("ask the server for another: headers: {Accept-Encoding: identity}"),
    }
}

/// Returns the kind of failure of a status, and whether the same call may succeed later.
fn classify(status: StatusCode) -> (&'static str, bool) {
    match status.as_u16() {
        429 => ("rate_limit", true),
        401 | 403 => ("auth", false),
        408 | 500..=599 => ("server_error", true),
        425 => ("client_error", true),
        // A redirect that was not followed, or a status that is not defined.
        100..=399 => ("http", false),
        _ => ("client_error", false),
    }
}

/// Returns the seconds of `Retry-After`. A date is ignored: it would make the wait depend on two clocks.
fn retry_after(headers: &HeaderMap) -> Option<f64> {
    let seconds: f64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// Returns headers as a mapping; values of one name are joined.
fn headers_json(headers: &HeaderMap) -> Json {
    let mut map: Map<String, Json> = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = match map.get(name.as_str()).and_then(Json::as_str) {
            Some(earlier) => format!("{earlier}, {value}"),
            None => value.into_owned(),
        };
        map.insert(name.as_str().to_owned(), Json::from(joined));
    }
    Json::Object(map)
}

/// Returns the body as JSON when its type says so or it is a JSON object or list, else as text.
///
/// # Errors
/// A failure of kind `http` when its values would take too much memory.
fn data(headers: &HeaderMap, body: &[u8], request: &Request) -> Result<Json, Failure> {
    if body.is_empty() {
        return Ok(Json::Null);
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json = kind == "application/json" || kind == "text/json" || kind.ends_with("+json");
    let decoded = coding::text(headers, body);
    let text = || Json::from(decoded.as_ref());
    match bounded_json::parse(decoded.as_bytes()) {
        Ok(value) if is_json || value.is_object() || value.is_array() => Ok(value),
        Ok(_) | Err(JsonError::Invalid(_)) => Ok(text()),
        Err(JsonError::TooLarge) if !is_json => Ok(text()),
        Err(error @ JsonError::TooLarge) => {
            let from = format!("{} {}", request.method, display_url(&request.url));
            let message = format!("the response to {from} is not read: {error}");
            Err(Failure::new("http", message).help("ask for less, as for one page of it"))
        }
    }
}
