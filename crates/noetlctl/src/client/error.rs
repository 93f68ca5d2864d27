//! Why a request failed: the message, its cause, and the help.

use std::fmt;

use anyhow::anyhow;
use noetl_api::{ErrorBody, Problem};
use noetl_help::Help as _;

use super::http;

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
    pub(super) fn refused(url: &str, status: u16, text: &str) -> Self {
        let body: ErrorBody = match serde_json::from_str(text) {
            Ok(body) => body,
            // An error in the form of another server or version is shown as it is.
            Err(error) if error.is_data() => ErrorBody {
                detail: format!("the server answered {status}: {}", text.trim()),
                ..ErrorBody::default()
            },
            Err(_) => return Self::no_json(url, status),
        };
        let unauthorized = (status == 401).then(|| UNAUTHORIZED.to_owned());
        Self {
            help: body.help.or(unauthorized),
            problems: body.problems,
            ..Self::new(Some(status), body.detail)
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

    /// The answer lacks a field that this version needs, or a field has an unknown value.
    pub(super) fn unreadable(url: &str, path: &str, status: u16, cause: serde_json::Error) -> Self {
        Self {
            help: Some(format!(
                "compare the server's version with that of `noetl version`: curl {url}/api/version"
            )),
            cause: Some(cause.into()),
            ..Self::new(
                Some(status),
                format!("cannot read the answer of {url} to {path}"),
            )
        }
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
    pub(super) fn unreachable(url: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        // Only the text tells one from another: a failed handshake is an I/O error, as a refused connection is.
        let cause = http::reason(error);
        let (message, help) = if cause.contains("timed out") || cause.contains("deadline") {
            (
                format!("the server at {url} did not answer in time"),
                "`noetl server status` shows whether a server answers at all",
            )
        } else if cause.contains("certificate") {
            (
                format!("cannot trust the server at {url}"),
                "add the certificate of its authority, a file in PEM: to the system's store, or SSL_CERT_FILE=FILE",
            )
        } else {
            (
                format!("cannot reach a server at {url}"),
                "start one with `noetl server start`, or name another with --server-url",
            )
        };
        Self {
            help: Some(help.to_owned()),
            cause: Some(cause.into()),
            ..Self::new(None, message)
        }
    }

    /// The answer is larger than what is read.
    pub(super) fn too_large(url: &str, limit_bytes: u64) -> Self {
        let limit = limit_bytes >> 20;
        Self {
            help: Some("ask for less, for instance with --limit".to_owned()),
            ..Self::new(
                None,
                format!("the answer of {url} has more than {limit} MiB"),
            )
        }
    }

    /// The request cannot be written as JSON and HTTP.
    pub(super) fn invalid_request(
        url: &str,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            cause: Some(Box::new(cause)),
            ..Self::new(None, format!("cannot send a request to {url}"))
        }
    }

    /// The thread that waited for the answer has ended.
    pub(crate) fn interrupted(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            cause: Some(Box::new(cause)),
            ..Self::new(None, "the request was interrupted".to_owned())
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
    use std::io::{Read as _, Write as _};
    use std::time::Duration;

    use noetl_help::Report;

    use super::*;

    fn refused(status: u16, body: &str) -> Error {
        Error::refused("http://h", status, body)
    }

    #[test]
    fn the_help_of_an_answer_is_kept_and_a_command_can_replace_it() {
        let busy = || refused(409, r#"{"detail": "busy", "help": "wait"}"#);
        let failed = || -> anyhow::Result<()> { Err(busy())? };
        let report = Report::of(&failed().unwrap_err());
        assert_eq!(report.to_string(), "error: busy\nhelp: wait\n");
        let report = Report::of(&failed().help("try again").unwrap_err());
        assert_eq!(report.help.as_deref(), Some("try again"));
    }

    /// Sends a request to a server that answers with `head` and nothing more, and returns the error.
    fn silent(head: &'static [u8]) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // An answer before its request would be a fault of another kind.
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(head).unwrap();
            // Until the client gives up.
            drop(std::io::copy(&mut stream, &mut std::io::sink()));
        });
        let client = http::builder(http::tls(&url).unwrap()).no_proxy();
        let client = client.timeout(Duration::from_millis(200)).build().unwrap();
        let error = match client.get(&url).send() {
            Err(error) => Error::unreachable("URL", &error),
            Ok(mut answer) => {
                let read = answer.read_to_end(&mut Vec::new());
                Error::unreachable("URL", &read.unwrap_err())
            }
        };
        drop(client);
        server.join().unwrap();
        error.to_string()
    }

    #[test]
    fn a_server_that_is_silent_did_not_answer_in_time() {
        let late = "the server at URL did not answer in time";
        assert_eq!(silent(b""), late);
        assert_eq!(
            silent(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            late
        );
    }

    #[test]
    fn help_for_a_404_gives_way_to_the_servers_own() {
        let help = |status, body| {
            let error = refused(status, body).help_if_not_found("list them");
            Report::of(&error.into()).help
        };
        assert_eq!(help(404, "{}").as_deref(), Some("list them"));
        let own = r#"{"detail": "none", "help": "h"}"#;
        assert_eq!(help(404, own).as_deref(), Some("h"));
        assert_eq!(help(500, "{}"), None);
    }

    #[test]
    fn an_error_of_an_unknown_form_is_shown_as_it_is() {
        let list = r#"{"detail":[{"msg":"Field required"}]}"#;
        for (body, message) in [
            (list, format!("the server answered 422: {list}")),
            ("\"no\"\n", "the server answered 422: \"no\"".to_owned()),
            ("<p>", "http://h answered 422 without JSON".to_owned()),
            (r#"{"detail": "d", "new": 1}"#, "d".to_owned()),
        ] {
            assert_eq!(refused(422, body).to_string(), message);
        }
    }
}
