//! URLs of servers: how one is made from an address, and which texts are one.

use anyhow::anyhow;
use noetl_help::Help as _;

/// Returns the URL under which a client on this machine reaches a server that listens on `host`.
pub(crate) fn of_listener(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => format!("http://127.0.0.1:{port}"),
        "::" => format!("http://[::1]:{port}"),
        host if host.contains(':') => format!("http://[{host}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

/// Checks that a text is the URL of a server: HTTP or HTTPS, with a host and without a query.
pub(crate) fn check(url: &str) -> anyhow::Result<()> {
    host(url).map(drop)
}

/// Whether a URL points to this machine.
///
/// # Errors
/// Fails when the text is not the URL of a server.
pub(super) fn is_loopback(url: &str) -> anyhow::Result<bool> {
    let host = host(url)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    Ok(
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback()),
    )
}

fn host(url: &str) -> anyhow::Result<String> {
    let parsed = reqwest::Url::parse(url).ok();
    parsed
        .as_ref()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .and_then(|url| url.host_str())
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("`{url}` is not a URL of a server"))
        .help("a server's URL looks like http://127.0.0.1:8082 or https://noetl.example.org")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_listener_can_be_connected_to() {
        assert_eq!(of_listener("0.0.0.0", 1), "http://127.0.0.1:1");
        assert_eq!(of_listener("::", 1), "http://[::1]:1");
        assert_eq!(of_listener("fe80::1", 1), "http://[fe80::1]:1");
        assert_eq!(of_listener("localhost", 1), "http://localhost:1");
    }

    #[test]
    fn a_host_in_another_script_is_the_one_that_is_asked_for() {
        let name = host("https://B\u{fc}cher.example").unwrap();
        assert_eq!(name, "xn--bcher-kva.example");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://localhost:1",
            "http://127.9.0.1",
            "http://[::1]:8082",
            "https://LOCALHOST/x",
        ] {
            assert!(is_loopback(url).unwrap(), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.org",
            "http://10.0.0.1",
            "http://localhost.evil",
        ] {
            assert!(!is_loopback(url).unwrap(), "{url}");
        }
        for url in ["localhost:8082", "ftp://x", "", "http://", "http://x?y=z"] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
