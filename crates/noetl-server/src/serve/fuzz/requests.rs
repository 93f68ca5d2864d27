//! Drawn requests: those of the API's description, and bytes that are almost requests.

use serde_json::Value;

use super::client::{Client, send_raw};
use super::operations::{Drawn, Operations};
use super::{TOKEN, Target, begin, in_rounds};

/// How many requests are under way at a time.
const CALLERS: usize = 16;

/// Sends drawn requests and learns from their answers.
async fn call(url: String, count: usize, seed: u64, learned: Vec<Value>) {
    let mut operations = Operations::new(seed);
    learned.iter().for_each(|answer| operations.learn(answer));
    let mut client = Client::new(&url);
    for input in 0..count {
        let drawn = operations.request();
        if operations.draw.one_in(40) {
            let bytes = almost(&mut operations, &drawn, &url);
            let answer = send_raw(&url, &bytes).await;
            assert!(
                !answer.starts_with(b"HTTP/1.1 5"),
                "{:?}: {:?}",
                bytes.escape_ascii().to_string(),
                answer.escape_ascii().to_string()
            );
            continue;
        }
        let Drawn { method, path, body } = drawn;
        let shown = body.clone().unwrap_or_default();
        let Some(answer) = client.send(&method, &path, body).await else {
            continue;
        };
        assert!(
            answer.status < 500,
            "input {input} of seed {seed}: {method} {path} {}: {} {}",
            shown.escape_ascii(),
            answer.status,
            answer.body.escape_ascii(),
        );
        if let Ok(answer) = serde_json::from_slice(&answer.body) {
            operations.learn(&answer);
        }
    }
}

/// Returns the bytes of a request with one of them replaced, or without its end.
fn almost(operations: &mut Operations, drawn: &Drawn, url: &str) -> Vec<u8> {
    let Drawn { method, path, body } = drawn;
    let body = body.clone().unwrap_or_default();
    let length = if operations.draw.one_in(4) {
        operations.draw.text()
    } else {
        body.len().to_string()
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {url}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body);
    let at = operations.draw.0.usize(..bytes.len());
    if operations.draw.0.bool() {
        bytes[at] = operations.draw.0.u8(..);
    } else {
        bytes.truncate(at);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_answered_with_a_failure_of_the_server() {
    in_rounds("requests", 4_000, async |count, seed| {
        let target = Target::start().await;
        let learned = begin(&mut Client::new(&target.url)).await;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let seed = seed ^ ((caller as u64) << 32);
                tokio::spawn(call(
                    target.url.clone(),
                    count / CALLERS,
                    seed,
                    learned.clone(),
                ))
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        target.stop().await;
    })
    .await;
}
