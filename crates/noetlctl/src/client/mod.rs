//! Requests to a NoETL server. Requests and answers are types of `noetl-api`; nothing is printed.

pub(crate) mod download;
pub(crate) mod error;
mod events;
mod http;
mod parameters;
pub(crate) mod probe;
pub(crate) mod remote;
pub(crate) mod url;

use std::io::{BufReader, Read as _};
use std::time::Duration;

use noetl_api::log::StreamQuery;
use reqwest::blocking::{self, RequestBuilder, Response};
use reqwest::{Method, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::cli::client::{ClientArgs, RootArgs};
use error::Error;
use events::Messages;
pub(crate) use parameters::encode;
use remote::{Remote, Token};

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
    answers: blocking::Client,
    streams: blocking::Client,
}

impl Client {
    /// Returns the client of a command, from the flags before and after the subcommand.
    pub(crate) fn open(root: &RootArgs, args: &ClientArgs) -> anyhow::Result<Self> {
        Self::new(Remote::find(&args.remote.or(root))?)
    }

    /// Returns the client of a server. It must not be used in a thread that runs a future.
    pub(crate) fn new(remote: Remote) -> anyhow::Result<Self> {
        let tls = http::tls(&remote.url)?;
        let client = |silence| {
            // Following a redirect would turn a POST into a GET, so it is reported instead.
            let builder = http::builder(tls.clone()).redirect(redirect::Policy::none());
            let builder = match remote.loopback {
                true => builder.no_proxy(),
                false => builder,
            };
            builder.timeout(silence).build()
        };
        let (answers, streams) = (client(ANSWER_TIMEOUT)?, client(SILENCE_TIMEOUT)?);
        Ok(Self {
            url: remote.url,
            token: remote.token,
            answers,
            streams,
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
        self.answer(path, self.send(accepting_json(request))?)
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
        self.answer(path, self.send(accepting_json(request).body(body))?)
    }

    /// Sends a POST without a body and returns the answer.
    pub(crate) fn post_empty<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = self.request(Method::POST, path, &())?;
        self.answer(path, self.send(accepting_json(request))?)
    }

    /// Sends a DELETE and returns the answer. The fields of `query` are the parameters.
    pub(crate) fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Error> {
        let request = self.request(Method::DELETE, path, query)?;
        self.answer(path, self.send(accepting_json(request))?)
    }

    /// Sends a GET for a file of the web page. Returns its content type and its bytes.
    pub(crate) fn file(&self, path: &str) -> Result<(String, Vec<u8>), Error> {
        let request = self.request(Method::GET, path, &())?;
        let response = self.send(request)?;
        if !response.status().is_success() {
            return Err(self.refusal(response));
        }
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.to_owned();
        Ok((kind, self.body(response)?))
    }

    /// Opens a stream of what follows `after`: the last event that is known, and the last line when lines are wanted.
    pub(crate) fn stream(
        &self,
        path: &str,
        after: &StreamQuery,
    ) -> Result<Messages<impl std::io::BufRead + use<>>, Error> {
        let event = after.after.as_deref().unwrap_or("0");
        let request = self
            .request_of(&self.streams, Method::GET, path, after)?
            .header("accept", "text/event-stream")
            .header("last-event-id", event);
        let response = self.send(request)?;
        if !response.status().is_success() {
            return Err(self.refusal(response));
        }
        Ok(Messages::new(BufReader::new(response)))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &impl Serialize,
    ) -> Result<RequestBuilder, Error> {
        let request = self.request_of(&self.answers, method, path, query)?;
        Ok(request.timeout(ANSWER_TIMEOUT))
    }

    fn request_of(
        &self,
        client: &blocking::Client,
        method: Method,
        path: &str,
        query: &impl Serialize,
    ) -> Result<RequestBuilder, Error> {
        let query =
            parameters::query(query).map_err(|cause| Error::invalid_request(&self.url, cause))?;
        let request = client.request(method, format!("{}{path}{query}", self.url));
        Ok(match &self.token {
            Some(token) => request.header("authorization", token.header()),
            None => request,
        })
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().map_err(|cause| match cause.is_builder() {
            true => Error::invalid_request(&self.url, cause),
            false => Error::unreachable(&self.url, &cause),
        })
    }

    /// Reads the answer to a request for `path`. Fields that `T` does not have are ignored.
    fn answer<T: DeserializeOwned>(&self, path: &str, response: Response) -> Result<T, Error> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response));
        }
        let text = self.text(response)?;
        serde_json::from_str(&text).map_err(|cause| match cause.classify() {
            Category::Data => Error::unreadable(&self.url, path, status.as_u16(), cause),
            _ => Error::no_json(&self.url, status.as_u16()),
        })
    }

    /// Returns the error in an answer whose status is not a success.
    fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get("location")
                .and_then(|to| to.to_str().ok());
            return Error::redirected(&self.url, status.as_u16(), target);
        }
        match self.text(response) {
            Ok(text) => Error::refused(&self.url, status.as_u16(), &text),
            Err(error) => error,
        }
    }

    fn text(&self, response: Response) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.body(response)?).into_owned())
    }

    fn body(&self, response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        let read = response.take(LIMIT_BYTES + 1).read_to_end(&mut body);
        match read {
            Ok(_) if body.len() as u64 > LIMIT_BYTES => {
                Err(Error::too_large(&self.url, LIMIT_BYTES))
            }
            Ok(_) => Ok(body),
            Err(cause) => Err(Error::unreachable(&self.url, &cause)),
        }
    }
}

fn accepting_json(request: RequestBuilder) -> RequestBuilder {
    request.header("accept", "application/json")
}
