//! Tests of certificates, against a small TLS server of the tests.
#![cfg(unix)]

use std::sync::Arc;

use serde_json::json;

use crate::playbook::ToolKind::Http;
use crate::tool::tests::{TestHost, skip};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecure";

/// Makes a certificate for 127.0.0.1 of a private issuer; returns false without `openssl`.
fn make_certificate(folder: &std::path::Path) -> bool {
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \\
            -subj /CN=ca -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out leaf.csr -subj /CN=leaf
        echo subjectAltName=IP:127.0.0.1 > ext
        openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out leaf.pem";
    let made = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output();
    made.is_ok_and(|made| made.status.success())
}

/// Serves TLS connections, and answers each that sends something.
fn serve_tls(folder: &std::path::Path) -> std::net::SocketAddr {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let chain: Result<Vec<_>, _> =
        rustls_pemfile::certs(&mut read("leaf.pem").as_slice()).collect();
    let key = rustls_pemfile::private_key(&mut read("key.pem").as_slice());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.unwrap(), key.unwrap().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut chunk = [0; 4096];
            // A client that does not trust the certificate ends the handshake.
            if tls.read(&mut chunk).is_ok_and(|count| count > 0) {
                tls.write_all(ANSWER).ok();
                tls.conn.send_close_notify();
                tls.flush().ok();
            }
        }
    });
    address
}

#[tokio::test]
async fn certificates_are_checked_unless_switched_off() {
    let mut host = TestHost::new();
    if !make_certificate(host.folder.path()) {
        skip("openssl is not installed");
        return;
    }
    let url = format!("https://{}/", serve_tls(host.folder.path()));
    let failure = host.run(Http, json!({"url": url})).await.unwrap_err();
    assert_eq!(
        (failure.kind.as_str(), failure.retryable),
        ("connection", false)
    );
    assert!(failure.message.contains("certificate"), "{failure}");
    let trusting = json!({"url": url, "verify_ssl": false});
    assert_eq!(host.run(Http, trusting).await.unwrap()["data"], "secure");
    host.tool_environment.tls_roots = vec![host.folder.path().join("ca.pem")];
    let result = host.run(Http, json!({"url": url})).await.unwrap();
    assert_eq!(result["data"], "secure");
    host.tool_environment.tls_roots = vec!["/nowhere/roots.pem".into()];
    let failure = host.run(Http, json!({"url": url})).await.unwrap_err();
    assert!(failure.message.contains("/nowhere/roots.pem"), "{failure}");
    let trusting = json!({"url": url, "verify_ssl": false});
    assert_eq!(host.run(Http, trusting).await.unwrap()["data"], "secure");
}
