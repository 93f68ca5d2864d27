//! Asks an address whether a NoETL server is there. No token is sent.

use std::time::Duration;

use noetl_api::server::BuildName;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A NoETL server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its version; `None` when the server requires a token for it.
    pub(crate) version: Option<String>,
}

/// Requests the version of the server at `url`. Returns `None` when no NoETL server answers there.
pub(crate) fn server(url: &str) -> Option<Found> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(format!("{url}/api/version")).call().ok()?;
    if answer.status() == 401 {
        // A server that requires a token counts as a NoETL server.
        return Some(Found { version: None });
    }
    let answer = answer.body_mut().read_to_string().ok()?;
    let build: BuildName = serde_json::from_str(&answer).ok()?;
    (build.name == "noetl").then_some(Found {
        version: Some(build.version),
    })
}
