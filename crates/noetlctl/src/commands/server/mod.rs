//! `noetl server …`: start in front or in the background, stop, look.

pub(super) mod check;
pub(super) mod detach;
mod log_file;
pub(super) mod logs;
pub(crate) mod pid_file;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;

use std::time::Duration;

use serde_json::Value;

use crate::remote::client_url;

/// Asks the server at `url` for its build stamp; `None` when nothing of ours answers.
fn ask_version(url: &str) -> Option<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(format!("{url}/api/version")).call().ok()?;
    if answer.status() == 401 {
        // A server that wants a token: ours, as far as anybody without one can tell.
        return Some(serde_json::json!({ "name": "noetl" }));
    }
    let answer = answer.body_mut().read_to_string().ok()?;
    serde_json::from_str::<Value>(&answer)
        .ok()
        .filter(|stamp| stamp["name"] == "noetl")
}
