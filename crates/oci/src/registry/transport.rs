//! Sends single HTTP requests, with TLS except to this machine, and decides how long to wait before the next try.
//!
//! Signing in and following redirects are in [`super::session`].

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, Method, Request as HttpRequest};
use ureq::tls::TlsConfig;
use ureq::{Agent, Error, SendBody};

use crate::blob::BlobReader;
use crate::reference::is_loopback_host;
use crate::registry::authorities::Authorities;
use crate::registry::location;
use crate::registry::no_proxy::NoProxy;
use crate::registry::remedy::Cause;
use crate::registry::secret::Secret;
use crate::registry::tries::Tries;

/// How much of an answer is read into memory at most, in bytes.
const LONGEST_BODY: u64 = 64 << 20;

/// How hosts are reached.
///
/// A proxy is the one that the environment names (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`); hosts on this machine are
/// reached without.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The value of the header `User-Agent`.
    pub user_agent: String,
    /// The hosts that are reached without the proxy.
    pub no_proxy: NoProxy,
    /// The certificate authorities that are trusted besides those of the system.
    pub authorities: Authorities,
}

/// Connections to any number of hosts, which are kept open.
#[derive(Debug, Clone)]
pub struct Transport {
    network: Arc<Network>,
    agents: Arc<Mutex<HashMap<Route, Agent>>>,
}

/// What the connections of an agent have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Route {
    /// To this machine, without TLS.
    Local,
    /// With TLS.
    Secure {
        /// Whether no proxy is used.
        direct: bool,
        /// The host, if it has certificates of its own.
        host: Option<String>,
    },
}

/// A request that can be sent again.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The URL, of HTTPS except on this machine.
    pub url: String,
    /// The headers except `Authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which can be sent again.
    pub body: Option<RequestBody<'a>>,
    /// Whether the body of a successful answer is not read, but left in [`Answer::stream`].
    pub streams: bool,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub enum RequestBody<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A length in bytes, and a reader of as many bytes, which is opened for each try.
    Stream(u64, &'a (dyn Fn() -> anyhow::Result<BlobReader> + Sync)),
}

impl fmt::Debug for RequestBody<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Self::Stream(length, _) => write!(formatter, "{length} bytes of a reader"),
        }
    }
}

/// The answer to a request.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, read to its end so that the connection can be used again; empty when `stream` is set.
    pub body: Vec<u8>,
    /// The body of an answer with status 200 or 206 to a streaming request.
    pub stream: Option<BlobReader>,
    /// The URL of the request.
    pub url: String,
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} from {}",
            self.status,
            location::shown(&self.url)
        )
    }
}

impl<'a> Request<'a> {
    /// Returns a request without body and headers.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            streams: false,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: RequestBody<'a>) -> Self {
        self.body = Some(body);
        self
    }

    /// Leaves the body of a successful answer in [`Answer::stream`].
    pub fn streaming(mut self) -> Self {
        self.streams = true;
        self
    }
}

impl Answer {
    /// Returns the value of a header; `None` when it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the time to wait in `Retry-After`, which is a number of seconds or a date (RFC 9110, section 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        let wait = date.as_second() - jiff::Timestamp::now().as_second();
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
    }

    /// Returns the server's message, at most 300 characters: the errors in the JSON of a registry, or else the text.
    pub fn message(&self) -> String {
        let json: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let errors = json.as_ref().and_then(|json| json["errors"].as_array());
        let messages = errors.into_iter().flatten().map(|error| {
            let field = |name: &str| error[name].as_str().unwrap_or_default();
            format!("{} {}", field("code"), field("message"))
        });
        let messages: Vec<_> = messages.collect();
        let text = if messages.is_empty() {
            String::from_utf8_lossy(&self.body).into_owned()
        } else {
            messages.join("; ")
        };
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().take(300).collect()
    }

    /// Returns whether the same request may succeed later, by its status.
    pub fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 499 | 500 | 502..=504 | 520..=599)
    }
}

impl Transport {
    /// Returns a transport; connections are opened when they are needed.
    pub fn new(network: Network) -> Self {
        Self {
            network: Arc::new(network),
            agents: Arc::default(),
        }
    }

    /// Returns the agent for a host, with its port.
    fn agent(&self, host: &str) -> Result<Agent, Error> {
        let route = if is_loopback_host(host) {
            Route::Local
        } else {
            let network = &self.network;
            Route::Secure {
                direct: network.no_proxy.matches(host),
                host: network.authorities.knows(host).then(|| host.to_owned()),
            }
        };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&route) {
            return Ok(agent.clone());
        }
        let agent = self
            .open(&route, host)
            .map_err(|error| Error::Other(error.into()))?;
        agents.insert(route, agent.clone());
        Ok(agent)
    }

    fn open(&self, route: &Route, host: &str) -> anyhow::Result<Agent> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            // A registry may hash a whole layer before it answers.
            .timeout_recv_response(Some(Duration::from_secs(300)))
            .user_agent(&self.network.user_agent);
        let Route::Secure { direct, .. } = route else {
            return Ok(config.proxy(None).build().into());
        };
        let certificates = self.network.authorities.certificates(host)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(certificates.roots)
            .client_cert(certificates.own)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = config.https_only(true).tls_config(tls);
        let config = if *direct { config.proxy(None) } else { config };
        Ok(config.build().into())
    }

    /// Sends a request once, and reads the answer.
    ///
    /// # Errors
    /// When there is no answer, or it is incomplete.
    pub fn exchange(
        &self,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, Error> {
        let agent = self.agent(location::host(&request.url))?;
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
            None => agent.run(builder.body(())?),
            Some(RequestBody::Bytes(bytes)) => agent.run(builder.body(bytes)?),
            Some(RequestBody::Stream(length, open)) => {
                let mut reader =
                    open().map_err(|error| std::io::Error::other(format!("{error:#}")))?;
                let body = SendBody::from_reader(&mut reader);
                agent.run(builder.header("content-length", length).body(body)?)
            }
        };
        let (head, body) = response?.into_parts();
        let mut answer = Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: Vec::new(),
            stream: None,
            url: request.url.clone(),
        };
        let reader = body.into_reader();
        if request.streams && matches!(answer.status, 200 | 206) {
            answer.stream = Some(Box::new(reader));
        } else {
            reader.take(LONGEST_BODY).read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Sends a request, again after temporary failures; returns the last answer, with any status.
    ///
    /// # Errors
    /// When there is no answer to the last try.
    pub(super) fn send_with_retry(
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

/// Returns whether trying again cannot help, by the cause of the error.
pub(super) fn is_final(error: &Error) -> bool {
    let may_pass = matches!(
        error,
        Error::Io(_) | Error::Protocol(_) | Error::Timeout(_) | Error::ConnectionFailed
    );
    !may_pass || Cause::of_error(error).is_final()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_in_seconds_or_a_date() {
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            let answer = Answer {
                status: 429,
                headers,
                body: Vec::new(),
                stream: None,
                url: String::new(),
            };
            answer.retry_after().map(|wait| wait.as_secs())
        };
        assert_eq!(asked(" 7 "), Some(7));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert!(asked("Fri, 21 Oct 2095 07:28:00 GMT") > Some(1_000_000));
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn only_some_statuses_are_temporary() {
        let answer = |status| Answer {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
            stream: None,
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
