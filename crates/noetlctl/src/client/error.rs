//! What can go wrong with a request: one sentence, its cause, and what mends it.

use std::fmt;

use noetl_engine::Problem;
use serde_json::Value;

use crate::problems;

/// A request without the answer it was made for.
#[derive(Debug)]
pub(crate) struct Error {
    /// The HTTP status, when the server answered.
    pub(crate) status: Option<u16>,
    /// What mends it.
    pub(crate) help: Option<String>,
    /// What the server found wrong with a playbook.
    pub(crate) problems: Vec<Problem>,
    detail: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// The server answered with an error of its own.
    pub(super) fn refused(status: u16, answer: &Value) -> Self {
        let detail = match &answer["detail"] {
            Value::String(detail) => detail.clone(),
            Value::Null => format!("the server answered {status}"),
            other => other.to_string(),
        };
        let help = answer["help"].as_str().map(str::to_owned);
        Self {
            help: help.or_else(|| (status == 401).then(|| UNAUTHORIZED.to_owned())),
            problems: problems::read(&answer["problems"]),
            ..Self::new(Some(status), detail)
        }
    }

    /// Something answered that is no NoETL server.
    pub(super) fn no_json(url: &str, status: u16) -> Self {
        Self {
            help: Some(
                "is it a NoETL server? `curl URL/api/health` answers {\"status\":\"ok\"}"
                    .replace("URL", url),
            ),
            ..Self::new(
                Some(status),
                format!("{url} answered {status} without JSON"),
            )
        }
    }

    /// The server answered with something else than asked for.
    pub(super) fn unexpected(url: &str, what: &str) -> Self {
        Self::new(None, format!("{url} answered with {what}"))
    }

    /// The server sends us elsewhere.
    pub(super) fn redirected(url: &str, status: u16, target: Option<&str>) -> Self {
        let target = target.unwrap_or("nowhere");
        Self {
            help: Some(
                "name that server with --server-url, without the path of the API".to_owned(),
            ),
            ..Self::new(Some(status), format!("{url} redirects to {target}"))
        }
    }

    /// No connection, or one that broke.
    pub(super) fn unreachable(url: &str, cause: ureq::Error) -> Self {
        let (detail, help) = match &cause {
            ureq::Error::Timeout(_) => (
                format!("the server at {url} did not answer in time"),
                "`noetl server status` shows whether one answers at all",
            ),
            // A handshake fails with an I/O error; only its text tells what is inside.
            other if other.to_string().contains("certificate") => (
                format!("cannot trust the server at {url}"),
                "SSL_CERT_FILE=FILE adds the certificates of your own authority",
            ),
            _ => (
                format!("cannot reach a server at {url}"),
                "start one with `noetl server start`, or name another with --server-url",
            ),
        };
        Self {
            help: Some(help.to_owned()),
            cause: Some(match cause {
                // Without the `io: ` that ureq puts before it.
                ureq::Error::Io(error) => error.into(),
                other => other.into(),
            }),
            ..Self::new(None, detail)
        }
    }

    /// The request cannot even be written down.
    pub(super) fn unusable(url: &str, cause: ureq::http::Error) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(None, format!("cannot ask {url}"))
        }
    }

    fn new(status: Option<u16>, detail: String) -> Self {
        Self {
            status,
            help: None,
            problems: Vec::new(),
            detail,
            cause: None,
        }
    }
}

const UNAUTHORIZED: &str =
    "set NOETL_API_TOKEN to the server's token, or name a file that holds it with --token-file";

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
