//! Requests to a NoETL server. Each returns the JSON of the answer or a typed error; nothing is printed.

pub(crate) mod error;
mod events;
pub(crate) mod probe;
pub(crate) mod problems;
pub(crate) mod remote;
mod tls;
pub(crate) mod url;

use std::io::BufReader;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use crate::cli::client::{ClientArgs, RootArgs};
use crate::config;
use error::Error;
use events::Messages;
use remote::{Remote, Token};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a whole answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a stream may be silent. The server sends a comment far more often.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read, so that a broken server does not fill the memory.
const LIMIT_BYTES: u64 = 512 << 20;

/// The characters that are percent-encoded in a part of a path or a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Client {
    url: String,
    token: Option<Token>,
    answers: Agent,
    streams: Agent,
}

impl Client {
    /// Returns the client of a command, from the flags before and after the subcommand.
    pub(crate) fn open(root: &RootArgs, args: &ClientArgs) -> anyhow::Result<Self> {
        Self::new(Remote::find(&args.remote.or(root))?)
    }

    /// Returns the client of a server.
    pub(crate) fn new(remote: Remote) -> anyhow::Result<Self> {
        let proxy = if remote.loopback {
            None
        } else {
            config::proxy()
        };
        let tls = tls::config(&remote.url)?;
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                // Following a redirect would turn a POST into a GET, so it is reported instead.
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
                .proxy(proxy.clone())
                .tls_config(tls.clone())
                .timeout_connect(Some(CONNECT_TIMEOUT))
        };
        let answers = config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let streams = config().timeout_per_read(Some(SILENCE_TIMEOUT)).build();
        Ok(Self {
            url: remote.url,
            token: remote.token,
            answers: answers.into(),
            streams: streams.into(),
        })
    }

    /// Returns the server's URL, without a final slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a GET and returns the answer.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.call(Method::GET, path, query, "")
    }

    /// Sends a POST with JSON and returns the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.call(Method::POST, path, &[], &body.to_string())
    }

    /// Sends a DELETE and returns the answer.
    pub(crate) fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.call(Method::DELETE, path, query, "")
    }

    /// Sends a GET for a file of the web page. Returns its content type and its bytes.
    pub(crate) fn file(&self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let request = self.request(Method::GET, path, &[]).body(());
        let request = request.map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let mut response = self
            .answers
            .run(request)
            .map_err(|cause| Error::unreachable(&self.url, cause))?;
        if !response.status().is_success() {
            return Err(match self.answer(response) {
                Err(error) => error,
                Ok(_) => Error::unexpected(&self.url, "neither a file nor an error"),
            });
        }
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.to_owned();
        let bytes = response
            .body_mut()
            .with_config()
            .limit(LIMIT_BYTES)
            .read_to_vec()
            .map_err(|cause| Error::unreachable(&self.url, cause))?;
        Ok((kind, bytes))
    }

    /// Opens a stream of the events that follow the one with the id `after`.
    pub(crate) fn stream(
        &self,
        path: &str,
        after: &str,
    ) -> Result<Messages<impl std::io::BufRead + use<>>, Error> {
        let request = self
            .request(Method::GET, path, &[("after", after)])
            .header("accept", "text/event-stream")
            .header("last-event-id", after)
            .body(())
            .map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let response = self
            .streams
            .run(request)
            .map_err(|cause| Error::unreachable(&self.url, cause))?;
        if response.status().is_success() {
            let reader = response.into_body().into_reader();
            return Ok(Messages::new(BufReader::new(reader)));
        }
        match self.answer(response) {
            Err(error) => Err(error),
            Ok(_) => Err(Error::unexpected(&self.url, "no stream of events")),
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: &str,
    ) -> Result<Value, Error> {
        let request = self
            .request(method, path, query)
            .header("accept", "application/json");
        let invalid = |cause| Error::invalid_request(&self.url, cause);
        let response = if body.is_empty() {
            self.answers.run(request.body(()).map_err(invalid)?)
        } else {
            let request = request.header("content-type", "application/json");
            self.answers.run(request.body(body).map_err(invalid)?)
        };
        self.answer(response.map_err(|cause| Error::unreachable(&self.url, cause))?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> ureq::http::request::Builder {
        let mut url = format!("{}{path}", self.url);
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value));
        }
        let request = Request::builder().method(method).uri(url);
        match &self.token {
            Some(token) => request.header("authorization", token.bearer()),
            None => request,
        }
    }

    fn answer(&self, mut response: Response<Body>) -> Result<Value, Error> {
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get("location")
                .and_then(|to| to.to_str().ok());
            return Err(Error::redirected(&self.url, status.as_u16(), target));
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(LIMIT_BYTES)
            .read_to_string()
            .map_err(|cause| Error::unreachable(&self.url, cause))?;
        match serde_json::from_str(&text) {
            Ok(value) if status.is_success() => Ok(value),
            Ok(value) => Err(Error::refused(status.as_u16(), &value)),
            Err(_) => Err(Error::no_json(&self.url, status.as_u16())),
        }
    }
}

/// Encodes a name as one part of a path or a query.
pub(crate) fn encode(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_encoded_name_is_one_part_of_a_path() {
        assert_eq!(super::encode("a/b c?d=e&f%"), "a%2Fb%20c%3Fd%3De%26f%25");
        assert_eq!(super::encode("a-b.c_d~1"), "a-b.c_d~1");
    }
}
