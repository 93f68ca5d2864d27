//! Connections that send nothing, or half a request: they shut nobody out, and are closed.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::live::{Live, until};

/// Files and connections that the server may have open; half of them are for connections, a quarter for one address.
const DESCRIPTORS: usize = 256;

fn connect(live: &Live, text: &str) -> Option<TcpStream> {
    let address = live.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    Some(stream)
}

/// Sends a request on a connection of its own, and returns the answer; none when the connection is closed.
fn answer(live: &Live, path: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    connect(live, &request)?.read_to_string(&mut text).ok()?;
    (!text.is_empty()).then_some(text)
}

#[test]
fn half_requests_do_not_stop_health_and_are_closed() {
    let live = Live::with_descriptors(DESCRIPTORS);
    let half = "GET /api/executions HTTP/1.1\r\nHost: local";
    let streams: Vec<_> = (0..2 * DESCRIPTORS)
        .filter_map(|_| connect(&live, half))
        .collect();
    for path in ["/health", "/api/health?ready"] {
        until("health answers beside them", || {
            answer(&live, path).filter(|answer| answer.starts_with("HTTP/1.1 200"))
        });
    }
    let metrics = until("metrics answer beside them", || {
        answer(&live, "/metrics").filter(|answer| answer.contains("noetl_connections_limit 128"))
    });
    let refused = metrics
        .lines()
        .find_map(|line| line.strip_prefix("noetl_connections_refused_total "));
    let refused: f64 = refused.unwrap().parse().unwrap();
    assert!(refused > 0.0, "{metrics}");
    let other = answer(&live, "/api/status");
    let is_refused = other.is_none_or(|other| other.contains("503") && other.contains("no room"));
    assert!(is_refused, "the address has no more connections");
    for mut stream in streams {
        // The server closes it, or has closed it before.
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_err() || !rest.starts_with(b"HTTP/1.1 200"));
    }
    until("the address has room again", || {
        answer(&live, "/api/status").filter(|answer| answer.starts_with("HTTP/1.1 200"))
    });
}

#[test]
fn many_requests_on_few_connections_are_answered() {
    let live = Live::with_descriptors(DESCRIPTORS);
    // More requests than descriptors, each on a connection that is closed afterwards.
    for _ in 0..3 * DESCRIPTORS {
        let answer = answer(&live, "/api/status").expect("it is answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let open = live.ask("GET", "/metrics", &[], b"").text;
    assert!(open.contains("noetl_connections_refused_total 0"), "{open}");
    assert_eq!(live.get("/api/executions"), json!([]));
}
