//! Requests to a NoETL server. Requests and answers are types of `noetl-api`; nothing is printed.

pub(crate) mod download;
pub(crate) mod error;
mod events;
mod parameters;
pub(crate) mod probe;
pub(crate) mod remote;
mod tls;
pub(crate) mod url;

use std::io::BufReader;
use std::time::Duration;

use noetl_api::log::StreamQuery;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use ureq::http::request::Builder;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, AsSendBody, Body};

use crate::cli::client::{ClientArgs, RootArgs};
use crate::config;
use error::Error;
use events::Messages;
pub(crate) use parameters::encode;
use remote::{Remote, Token};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a whole answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a stream may be silent. The server sends a comment far more often.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer that is read, so that a broken server does not fill the memory.
const LIMIT_BYTES: u64 = 512 << 20;

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

    /// Sends a GET and returns the answer. The fields of `query` are the parameters; `()` stands for none.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Error> {
        let request = self.request(Method::GET, path, query)?;
        self.answer(path, self.send(accepting_json(request), ())?)
    }

    /// Sends a POST with a body and returns the answer.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = serde_json::to_string(body)
            .map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let request = self
            .request(Method::POST, path, &())?
            .header("content-type", "application/json");
        self.answer(path, self.send(accepting_json(request), body)?)
    }

    /// Sends a POST without a body and returns the answer.
    pub(crate) fn post_empty<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = self.request(Method::POST, path, &())?;
        self.answer(path, self.send(accepting_json(request), ())?)
    }

    /// Sends a DELETE and returns the answer. The fields of `query` are the parameters.
    pub(crate) fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Error> {
        let request = self.request(Method::DELETE, path, query)?;
        self.answer(path, self.send(accepting_json(request), ())?)
    }

    /// Sends a GET for a file of the web page. Returns its content type and its bytes.
    pub(crate) fn file(&self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let request = self.request(Method::GET, path, &())?;
        let mut response = self.send(request, ())?;
        if !response.status().is_success() {
            return Err(self.refusal(response));
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

    /// Opens a stream of what follows `after`: the last event that is known, and the last line when lines are wanted.
    pub(crate) fn stream(
        &self,
        path: &str,
        after: &StreamQuery,
    ) -> Result<Messages<impl std::io::BufRead + use<>>, Error> {
        let event = after.after.as_deref().unwrap_or("0");
        let request = self
            .request(Method::GET, path, after)?
            .header("accept", "text/event-stream")
            .header("last-event-id", event)
            .body(())
            .map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let response = self
            .streams
            .run(request)
            .map_err(|cause| Error::unreachable(&self.url, cause))?;
        if !response.status().is_success() {
            return Err(self.refusal(response));
        }
        let reader = response.into_body().into_reader();
        Ok(Messages::new(BufReader::new(reader)))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Builder, Error> {
        let query =
            parameters::query(query).map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}{query}", self.url));
        Ok(match &self.token {
            Some(token) => request.header("authorization", token.bearer()),
            None => request,
        })
    }

    fn send(&self, request: Builder, body: impl AsSendBody) -> Result<Response<Body>, Error> {
        let request = request
            .body(body)
            .map_err(|cause| Error::invalid_request(&self.url, cause))?;
        self.answers
            .run(request)
            .map_err(|cause| Error::unreachable(&self.url, cause))
    }

    /// Reads the answer to a request for `path`. Fields that `T` does not have are ignored.
    fn answer<T: DeserializeOwned>(
        &self,
        path: &str,
        mut response: Response<Body>,
    ) -> Result<T, Error> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response));
        }
        let text = self.text(&mut response)?;
        serde_json::from_str(&text).map_err(|cause| match cause.classify() {
            Category::Data => Error::unreadable(&self.url, path, status.as_u16(), cause),
            _ => Error::no_json(&self.url, status.as_u16()),
        })
    }

    /// Returns the error in an answer whose status is not a success.
    fn refusal(&self, mut response: Response<Body>) -> Error {
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get("location")
                .and_then(|to| to.to_str().ok());
            return Error::redirected(&self.url, status.as_u16(), target);
        }
        match self.text(&mut response) {
            Ok(text) => Error::refused(&self.url, status.as_u16(), &text),
            Err(error) => error,
        }
    }

    fn text(&self, response: &mut Response<Body>) -> Result<String, Error> {
        response
            .body_mut()
            .with_config()
            .limit(LIMIT_BYTES)
            .read_to_string()
            .map_err(|cause| Error::unreachable(&self.url, cause))
    }
}

fn accepting_json(request: Builder) -> Builder {
    request.header("accept", "application/json")
}
