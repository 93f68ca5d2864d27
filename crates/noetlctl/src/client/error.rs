//! Why a request failed: the message, its cause, and the help.

use std::fmt;

use anyhow::anyhow;
use noetl_engine::Problem;
use noetl_help::Help as _;
use serde_json::Value;

use super::problems::parse_problems;

/// A request that failed. Converted to an `anyhow::Error` it keeps its help.
///
/// It is no `std::error::Error`: the `?` of anyhow would convert one of those without the help.
#[derive(Debug)]
pub(crate) struct Error {
    /// The HTTP status, when the server answered.
    pub(crate) status: Option<u16>,
    /// The problems that the server found in a playbook.
    pub(crate) problems: Vec<Problem>,
    help: Option<String>,
    message: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Adds help to an answer with status 404, unless the server sent its own.
    pub(crate) fn help_if_not_found(mut self, help: &str) -> Self {
        if self.status == Some(404) {
            self.help.get_or_insert_with(|| help.to_owned());
        }
        self
    }

    /// The server answered with an error.
    pub(super) fn refused(status: u16, answer: &Value) -> Self {
        let message = match &answer["detail"] {
            Value::String(detail) => detail.clone(),
            Value::Null => format!("the server answered {status}"),
            other => other.to_string(),
        };
        let help = answer["help"].as_str().map(str::to_owned);
        Self {
            help: help.or_else(|| (status == 401).then(|| UNAUTHORIZED.to_owned())),
            problems: parse_problems(&answer["problems"]),
            ..Self::new(Some(status), message)
        }
    }

    /// The answer is not that of a NoETL server.
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

    /// The server answered with something else than what was requested.
    pub(super) fn unexpected(url: &str, what: &str) -> Self {
        Self::new(None, format!("{url} answered with {what}"))
    }

    /// The server answered with a redirect.
    pub(super) fn redirected(url: &str, status: u16, target: Option<&str>) -> Self {
        let target = target.unwrap_or("nowhere");
        Self {
            help: Some(
                "name that server with --server-url, without the path of the API".to_owned(),
            ),
            ..Self::new(Some(status), format!("{url} redirects to {target}"))
        }
    }

    /// There was no connection, or it broke.
    pub(super) fn unreachable(url: &str, cause: ureq::Error) -> Self {
        let (message, help) = match &cause {
            ureq::Error::Timeout(_) => (
                format!("the server at {url} did not answer in time"),
                "`noetl server status` shows whether a server answers at all",
            ),
            // A failed handshake is an I/O error; only its text tells the reason.
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
                // Without the `io: ` that ureq puts in front of it.
                ureq::Error::Io(error) => error.into(),
                other => other.into(),
            }),
            ..Self::new(None, message)
        }
    }

    /// The request is not valid HTTP.
    pub(super) fn invalid_request(url: &str, cause: ureq::http::Error) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(None, format!("cannot send a request to {url}"))
        }
    }

    fn new(status: Option<u16>, message: String) -> Self {
        Self {
            status,
            help: None,
            problems: Vec::new(),
            message,
            cause: None,
        }
    }
}

const UNAUTHORIZED: &str =
    "set NOETL_API_TOKEN to the server's token, or name a file that contains it with --token-file";

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<Error> for anyhow::Error {
    fn from(error: Error) -> Self {
        let converted = match error.cause {
            Some(cause) => Self::from_boxed(cause).context(error.message),
            None => anyhow!(error.message),
        };
        match error.help {
            Some(help) => converted.help(help),
            None => converted,
        }
    }
}

#[cfg(test)]
mod tests {
    use noetl_help::Report;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_help_of_an_answer_is_kept_and_a_command_can_replace_it() {
        let refused = || Error::refused(409, &json!({"detail": "busy", "help": "wait"}));
        let failed = || -> anyhow::Result<()> { Err(refused())? };
        let report = Report::of(&failed().unwrap_err());
        assert_eq!(report.to_string(), "error: busy\nhelp: wait\n");
        let report = Report::of(&failed().help("try again").unwrap_err());
        assert_eq!(report.help.as_deref(), Some("try again"));
    }

    #[test]
    fn help_for_a_404_gives_way_to_the_servers_own() {
        let help = |status, answer: Value| {
            let error = Error::refused(status, &answer).help_if_not_found("list them");
            Report::of(&error.into()).help
        };
        assert_eq!(help(404, json!({})).as_deref(), Some("list them"));
        assert_eq!(help(404, json!({"help": "h"})).as_deref(), Some("h"));
        assert_eq!(help(500, json!({})), None);
    }
}
