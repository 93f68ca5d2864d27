//! A caller of the server: requests over one connection, which is opened again when the server has closed it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{ANSWERS, TOKEN};

/// The most bytes that are read of an answer, which may be a stream without an end.
const MOST_BYTES: usize = 8 << 20;
/// How long an answer is waited for when the request asks the server to wait.
const WAIT: Duration = Duration::from_millis(10);
/// How long any other answer may take.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Client {
    url: String,
    connection: Option<SendRequest<Body>>,
}

/// The status of an answer, and its body as far as it was read.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            connection: None,
        }
    }

    /// Sends a request and returns its answer; none when the server waits for something to happen.
    ///
    /// # Panics
    /// When the server closes the connection instead of answering.
    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Bytes>,
    ) -> Option<Answer> {
        let waits = ["/api/commands/claim", "/api/worker/playbook"].contains(&path)
            || path
                .split('?')
                .next()
                .is_some_and(|path| path.ends_with("/stream"));
        let exchange = self.exchange(method, path, body, waits);
        let Ok(answer) = tokio::time::timeout(if waits { WAIT } else { LONGEST }, exchange).await
        else {
            assert!(waits, "{method} {path}: no answer");
            self.connection = None;
            return None;
        };
        Some(answer)
    }

    /// Sends a request whose answer is JSON.
    pub(super) async fn json(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, Some(body.to_string().into())).await;
        let answer = answer.unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            answer.status < 400,
            "{method} {path}: {} {text}",
            answer.status
        );
        serde_json::from_str(&text).unwrap()
    }

    async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Bytes>,
        waits: bool,
    ) -> Answer {
        let url = self.url.clone();
        let request = || {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", &url)
                .header("authorization", format!("Bearer {TOKEN}"))
                .header("content-type", "application/json");
            let body = body.clone().map_or_else(Body::empty, Body::from);
            request.body(body).unwrap()
        };
        let response = match self.connection().await.send_request(request()).await {
            Ok(response) => response,
            // The server may have closed it after the answer before.
            Err(_) => {
                self.connection = None;
                let sent = self.connection().await.send_request(request()).await;
                sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
            }
        };
        let status = response.status().as_u16();
        *ANSWERS.lock().unwrap().entry(status).or_default() += 1;
        let (body, whole) = read(response, waits).await;
        if !whole {
            self.connection = None;
        }
        Answer { status, body }
    }

    async fn connection(&mut self) -> &mut SendRequest<Body> {
        let open = match &mut self.connection {
            Some(known) => known.ready().await.is_ok(),
            None => false,
        };
        if !open {
            let stream = TcpStream::connect(&self.url).await.unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        self.connection.as_mut().unwrap()
    }
}

/// Reads a body, or its first part. Returns whether that is all of it.
async fn read(response: Response<Incoming>, first: bool) -> (Vec<u8>, bool) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    loop {
        let frame =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        match frame.await {
            None => return (bytes, true),
            Some(Err(_)) => return (bytes, false),
            Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
        }
        if bytes.len() > MOST_BYTES || first && !bytes.is_empty() && !body.is_end_stream() {
            return (bytes, false);
        }
    }
}

/// Sends bytes that need not be a request, and returns what comes until the server closes the connection or waits for
/// more.
pub(super) async fn send_raw(url: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(url).await.unwrap();
    // The server may close the connection before it has read everything.
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    drop(tokio::time::timeout(Duration::from_millis(10), read).await);
    answer
}
