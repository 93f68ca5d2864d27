//! Asks an address whether a NoETL server is there. No token is sent.

use std::time::Duration;

use serde_json::Value;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the build stamp of the server at `url`, or `None` when no NoETL server answers there.
pub(crate) fn version(url: &str) -> Option<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(format!("{url}/api/version")).call().ok()?;
    if answer.status() == 401 {
        // The server asks for a token before it tells its version. It counts as a NoETL server.
        return Some(serde_json::json!({ "name": "noetl" }));
    }
    let answer = answer.body_mut().read_to_string().ok()?;
    serde_json::from_str::<Value>(&answer)
        .ok()
        .filter(|stamp| stamp["name"] == "noetl")
}
