//! One request, one answer, over TLS or, on this machine alone, in the clear; and how long to wait before the next try.
//!
//! Signs in nowhere and repeats nothing by itself: [`super::session`] does.

use std::time::Duration;

use ureq::http::{HeaderMap, Method, Request as HttpRequest, Response};
use ureq::{Agent, Body, Error};

use crate::oci::reference::is_loopback_host;
use crate::registry::location;
use crate::registry::secret::Secret;

/// The longest document or blob that is taken into memory, in bytes.
const LONGEST_BODY: u64 = 1 << 32;

/// Connections to any number of hosts, kept alive.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    secure: Agent,
    plain: Agent,
}

/// A request that can be sent again.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    /// All but `Authorization`.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Kept where it is, so that it can be replayed.
    pub(super) body: Option<&'a [u8]>,
}

/// What came back, read to its end, so that the connection can serve the next request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// What was asked in the end, after redirects.
    pub(super) url: String,
}

impl<'a> Request<'a> {
    /// A request without body or headers.
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body, which may be empty.
    pub(super) fn body(mut self, bytes: &'a [u8]) -> Self {
        self.body = Some(bytes);
        self
    }
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks us to stay away; dates, which no registry sends, are not understood.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// What the server says in its own words, shortened: the messages of a registry's JSON, else the text.
    pub(super) fn words(&self) -> String {
        let json: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let errors = json.as_ref().and_then(|json| json["errors"].as_array());
        let told = errors.into_iter().flatten().map(|error| {
            let field = |name: &str| error[name].as_str().unwrap_or_default();
            format!("{} {}", field("code"), field("message"))
        });
        let told: Vec<_> = told.collect();
        let words = if told.is_empty() {
            String::from_utf8_lossy(&self.body).into_owned()
        } else {
            told.join("; ")
        };
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().take(300).collect()
    }

    /// Whether the same request may have another answer later.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 499 | 500 | 502..=504 | 520..=599)
    }
}

impl Transport {
    /// Connects to nothing yet.
    pub(super) fn new() -> Self {
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(Duration::from_secs(30)))
                // A registry hashes a whole layer before it answers.
                .timeout_recv_response(Some(Duration::from_secs(300)))
                .user_agent(concat!("noetl-xtask/", env!("CARGO_PKG_VERSION")))
        };
        Self {
            secure: config().https_only(true).build().into(),
            plain: config().proxy(None).build().into(),
        }
    }

    /// Sends a request once and reads the answer.
    ///
    /// # Errors
    /// When there was no answer, or it broke off.
    pub(super) fn exchange(
        &self,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, Error> {
        let agent = if is_loopback_host(location::host(&request.url)) {
            &self.plain
        } else {
            &self.secure
        };
        let mut builder = HttpRequest::builder()
            .method(request.method.clone())
            .uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(secret) = authorization {
            builder = builder.header("authorization", secret.reveal());
        }
        let response = match request.body {
            Some(bytes) => agent.run(builder.body(bytes)?),
            None => agent.run(builder.body(())?),
        };
        read(response?, &request.url)
    }
}

impl Transport {
    /// Sends a request again and again while the answer is that something is wrong for the moment.
    ///
    /// # Errors
    /// When there was no answer until the end.
    pub(super) fn insist(
        &self,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, Error> {
        let mut tries = Tries::new();
        loop {
            let result = self.exchange(request, authorization);
            let wait = match &result {
                Ok(answer) if !answer.is_temporary() => None,
                Ok(answer) => tries.next(answer.retry_after()),
                Err(error) if is_final(error) => None,
                Err(_) => tries.next(None),
            };
            match wait {
                Some(wait) => std::thread::sleep(wait),
                None => return result,
            }
        }
    }
}

/// Whether trying again cannot help: nobody is there, or we ask for something impossible.
pub(super) fn is_final(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Error::Protocol(_) | Error::Timeout(_) | Error::ConnectionFailed => false,
        _ => true,
    }
}

fn read(mut response: Response<Body>, url: &str) -> Result<Answer, Error> {
    let body = response.body_mut().with_config().limit(LONGEST_BODY);
    let body = body.read_to_vec()?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
        url: url.to_owned(),
    })
}

/// How often something is tried, and how long to wait in between.
#[derive(Debug, Clone)]
pub(super) struct Tries {
    left: u32,
    next: Duration,
}

/// What a server may ask us to wait, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Tries {
    /// Six tries within some three seconds, unless the server asks for more time.
    pub(super) fn new() -> Self {
        Self {
            left: 5,
            next: Duration::from_millis(100),
        }
    }

    /// How long to wait before trying again; `None` when it has been tried often enough, or when the server
    /// wants us to wait for longer than anybody would look on.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let wait = asked.unwrap_or_default().max(self.next);
        if self.left == 0 || wait > LONGEST_WAIT {
            return None;
        }
        self.left -= 1;
        self.next *= 2;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_and_ends() {
        let mut tries = Tries::new();
        let waits: Vec<_> = std::iter::from_fn(|| tries.next(None)).collect();
        let waits: Vec<_> = waits.iter().map(Duration::as_millis).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600]);
    }

    #[test]
    fn a_server_is_given_the_time_it_asks_for_within_reason() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(Tries::new().next(seconds(7)), seconds(7));
        assert_eq!(
            Tries::new().next(seconds(0)),
            Some(Duration::from_millis(100))
        );
        assert_eq!(Tries::new().next(seconds(3600)), None);
    }

    #[test]
    fn refusals_are_not_repeated() {
        let answer = |status| Answer {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
            url: String::new(),
        };
        for status in [408, 429, 500, 502, 503, 504, 522] {
            assert!(answer(status).is_temporary(), "{status}");
        }
        for status in [200, 202, 307, 400, 401, 403, 404, 405, 413, 501, 505] {
            assert!(!answer(status).is_temporary(), "{status}");
        }
    }
}
