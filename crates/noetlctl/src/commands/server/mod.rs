//! `noetl server …`: start in front or in the background, stop, look.

pub(super) mod detach;
mod log_file;
pub(super) mod logs;
pub(crate) mod pid_file;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;

use std::time::Duration;

use serde_json::Value;

/// Asks the server at `url` for its build stamp; `None` when nothing of ours answers.
fn ask_version(url: &str) -> Option<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .into();
    let answer = agent
        .get(format!("{url}/api/version"))
        .call()
        .ok()?
        .body_mut()
        .read_to_string()
        .ok()?;
    serde_json::from_str::<Value>(&answer)
        .ok()
        .filter(|stamp| stamp["name"] == "noetl")
}

/// The URL a client on this machine uses for a server that listens on `host`.
pub(crate) fn client_url(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => format!("http://127.0.0.1:{port}"),
        "::" => format!("http://[::1]:{port}"),
        host if host.contains(':') => format!("http://[{host}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn urls_name_an_address_one_can_connect_to() {
        assert_eq!(super::client_url("0.0.0.0", 1), "http://127.0.0.1:1");
        assert_eq!(super::client_url("::", 1), "http://[::1]:1");
        assert_eq!(super::client_url("fe80::1", 1), "http://[fe80::1]:1");
        assert_eq!(super::client_url("localhost", 1), "http://localhost:1");
    }
}
