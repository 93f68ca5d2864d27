//! The request that a call describes.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Map, Value as Json};

use crate::tool::call::Call;
use noetl_api::Failure;

const FORM: &str = "application/x-www-form-urlencoded";
const DEFAULT_BOUND: u64 = 64 * 1024 * 1024;

/// A request, which a redirect may change.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    /// The header that holds the credential.
    pub(super) secret: Option<HeaderName>,
}

impl Request {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let mut headers = headers(call)?;
        let body = body(call, &mut headers)?;
        Ok(Self {
            method: method(call)?,
            url: url(call)?,
            headers,
            body,
            secret: None,
        })
    }

    pub(super) fn build(&self, client: &Client) -> RequestBuilder {
        let builder = client
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone());
        match &self.body {
            Some(body) => builder.body(body.clone()),
            None => builder,
        }
    }
}

/// Returns the most bytes that are read of a response.
pub(super) fn byte_bound(call: &Call<'_>) -> Result<u64, Failure> {
    match call.text("max_bytes") {
        None => Ok(DEFAULT_BOUND),
        Some(text) => text.parse().map_err(|_| {
            Failure::new(
                "config",
                format!("`{text}` in the field `max_bytes` is not a number of bytes"),
            )
        }),
    }
}

fn method(call: &Call<'_>) -> Result<Method, Failure> {
    let method = call.text("method").unwrap_or_else(|| "GET".to_owned());
    Method::from_bytes(method.trim().to_ascii_uppercase().as_bytes())
        .map_err(|_| Failure::new("config", format!("`{method}` is not an HTTP method")))
}

fn url(call: &Call<'_>) -> Result<Url, Failure> {
    let text = call
        .first_text(&["url", "endpoint"])
        .ok_or_else(|| call.missing("url"))?;
    let mut url = Url::parse(text.trim()).map_err(|error| {
        // The part before an `@` may be a password.
        let tail = text.rsplit('@').next().unwrap_or(&text);
        Failure::new("config", format!("`{tail}` is not a URL: {error}"))
    })?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(Failure::new(
            "config",
            format!("an http tool does not support `{}://`", url.scheme()),
        ));
    }
    let pairs = match call.config.get("params") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Object(params)) => pairs(params),
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `params` must be a mapping of names to values",
            ));
        }
    };
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

/// Returns the pairs of a query or form: lists repeat the name, nulls are left out.
fn pairs(fields: &Map<String, Json>) -> Vec<(&str, String)> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value {
                Json::Null => {}
                Json::String(text) => pairs.push((name.as_str(), text.clone())),
                other => pairs.push((name.as_str(), other.to_string())),
            }
        }
    }
    pairs
}

fn form(fields: &Map<String, Json>) -> Vec<u8> {
    let mut url = Url::parse("form:").expect("this is a URL");
    url.query_pairs_mut().extend_pairs(pairs(fields));
    url.query().unwrap_or_default().as_bytes().to_vec()
}

fn headers(call: &Call<'_>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let given = match call.config.get("headers") {
        None | Some(Json::Null) => return Ok(headers),
        Some(Json::Object(given)) => given,
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `headers` must be a mapping of names to values",
            ));
        }
    };
    for (name, value) in given {
        let text = match value {
            Json::Null => continue,
            Json::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        // The message has no value, which may be a secret.
        let wrong = || {
            Failure::new(
                "config",
                format!("`{name}` in `headers` is not a valid HTTP header"),
            )
        };
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?,
            HeaderValue::from_str(&text).map_err(|_| wrong())?,
        );
    }
    Ok(headers)
}

/// Returns the body, and adds its content type to `headers` unless they have one.
fn body(call: &Call<'_>, headers: &mut HeaderMap) -> Result<Option<Vec<u8>>, Failure> {
    let mut set_content_type = |kind| {
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(kind));
    };
    match call.config.get("form") {
        None | Some(Json::Null) => {}
        Some(Json::Object(fields)) => {
            set_content_type(FORM);
            return Ok(Some(form(fields)));
        }
        Some(_) => {
            return Err(Failure::new(
                "config",
                "the field `form` must be a mapping of names to values",
            ));
        }
    }
    let given = ["json", "body", "data", "payload"]
        .into_iter()
        .filter_map(|name| Some((name, call.config.get(name)?)))
        .find(|(_, value)| !value.is_null());
    Ok(match given {
        None => None,
        Some((name, Json::String(text))) => {
            if name == "json" {
                set_content_type("application/json");
            }
            Some(text.clone().into_bytes())
        }
        Some((_, value)) => {
            set_content_type("application/json");
            let wants_form = headers
                .get(CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .is_some_and(|kind| kind.to_ascii_lowercase().starts_with(FORM));
            match value {
                Json::Object(fields) if wants_form => Some(form(fields)),
                value => Some(value.to_string().into_bytes()),
            }
        }
    })
}
