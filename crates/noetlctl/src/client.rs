//! Requests to a NoETL server: JSON in, JSON or a typed error out. Prints nothing.

pub(crate) mod error;
pub(crate) mod events;

use std::fs;
use std::io::BufReader;
use std::time::Duration;

use anyhow::Context as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::cli::client::{ClientArgs, RootArgs};
use crate::config;
use crate::remote::{Remote, Token};
use error::Error;
use events::Messages;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a whole answer may take.
const ANSWER: Duration = Duration::from_secs(120);

/// How long a stream may be silent; the server sends a comment far more often.
const SILENCE: Duration = Duration::from_secs(60);

/// More than any answer; a limit at all keeps a broken server from filling the memory.
const LIMIT_BYTES: u64 = 512 << 20;

/// What stays as it is in a part of a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One server.
#[derive(Debug)]
pub(crate) struct Client {
    url: String,
    token: Option<Token>,
    answers: Agent,
    streams: Agent,
}

impl Client {
    /// The client of a command, with the flags before and after the subcommand.
    pub(crate) fn open(root: &RootArgs, args: &ClientArgs) -> anyhow::Result<Self> {
        Self::new(Remote::find(&args.remote.or(root))?)
    }

    /// The client of a server.
    pub(crate) fn new(remote: Remote) -> anyhow::Result<Self> {
        let proxy = if remote.loopback {
            None
        } else {
            config::proxy()
        };
        let tls = tls(&remote.url)?;
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                // Followed, a redirect would turn a POST into a GET; it is reported instead.
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
                .proxy(proxy.clone())
                .tls_config(tls.clone())
                .timeout_connect(Some(CONNECT))
        };
        let answers = config().timeout_global(Some(ANSWER)).build();
        let streams = config().timeout_per_read(Some(SILENCE)).build();
        Ok(Self {
            url: remote.url,
            token: remote.token,
            answers: answers.into(),
            streams: streams.into(),
        })
    }

    /// The server, without a final slash.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The answer to a GET.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.call(Method::GET, path, query, "")
    }

    /// The answer to a POST of JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.call(Method::POST, path, &[], &body.to_string())
    }

    /// The answer to a DELETE.
    pub(crate) fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.call(Method::DELETE, path, query, "")
    }

    /// A file of the page, or any other answer as it is: its content type and its bytes.
    pub(crate) fn file(&self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let request = self.request(Method::GET, path, &[]).body(());
        let request = request.map_err(|cause| Error::unusable(&self.url, cause))?;
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

    /// A stream of events, from after the one with this id.
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
            .map_err(|cause| Error::unusable(&self.url, cause))?;
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
        let unusable = |cause| Error::unusable(&self.url, cause);
        let response = if body.is_empty() {
            self.answers.run(request.body(()).map_err(unusable)?)
        } else {
            let request = request.header("content-type", "application/json");
            self.answers.run(request.body(body).map_err(unusable)?)
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

/// A name as one part of a path or a query.
pub(crate) fn encode(part: &str) -> String {
    utf8_percent_encode(part, PLAIN).to_string()
}

/// Mozilla's roots, and those of `SSL_CERT_FILE` when it is set and the server is asked over TLS.
fn tls(url: &str) -> anyhow::Result<TlsConfig> {
    let roots = match config::certificate_file() {
        Some(path) if url.starts_with("https://") => {
            let pem = fs::read(&path)
                .with_context(|| format!("cannot read SSL_CERT_FILE={}", path.display()))?;
            let mut certificates: Vec<Certificate<'static>> =
                webpki_root_certs::TLS_SERVER_ROOT_CERTS
                    .iter()
                    .map(|certificate| Certificate::from_der(certificate))
                    .collect();
            for item in ureq::tls::parse_pem(&pem) {
                let item = item.with_context(|| {
                    format!("no certificates in SSL_CERT_FILE={}", path.display())
                })?;
                if let PemItem::Certificate(certificate) = item {
                    certificates.push(certificate);
                }
            }
            RootCerts::new_with_certs(&certificates)
        }
        _ => RootCerts::WebPki,
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_stay_one_part_of_a_path() {
        assert_eq!(super::encode("a/b c?d=e&f%"), "a%2Fb%20c%3Fd%3De%26f%25");
        assert_eq!(super::encode("a-b.c_d~1"), "a-b.c_d~1");
    }
}
