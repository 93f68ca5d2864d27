//! Asks an address whether a NoETL server is there. No token is sent.

use std::io::Read as _;
use std::time::Duration;

use noetl_api::server::BuildName;

use super::http;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is read of the answer, which may be that of any program.
const LIMIT_BYTES: u64 = 64 << 10;

/// A NoETL server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its version; `None` when the server requires a token for it.
    pub(crate) version: Option<String>,
}

/// Requests the version of the server at `url`. Returns `None` when no NoETL server answers there.
pub(crate) fn server(url: &str) -> Option<Found> {
    let client = http::builder(http::tls(url).ok()?).no_proxy();
    let client = client.timeout(TIMEOUT).build().ok()?;
    let request = client.get(format!("{url}/api/version")).timeout(TIMEOUT);
    let answer = request.send().ok()?;
    if answer.status() == 401 {
        // A server that requires a token counts as a NoETL server.
        return Some(Found { version: None });
    }
    let mut text = String::new();
    answer.take(LIMIT_BYTES).read_to_string(&mut text).ok()?;
    let build: BuildName = serde_json::from_str(&text).ok()?;
    (build.name == "noetl").then_some(Found {
        version: Some(build.version),
    })
}
