//! A server of HTTP/1.1 on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

/// The longest body, in bytes.
const LONGEST: u64 = 1 << 30;

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub method: String,
    /// The path without its query, decoded by nobody.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Received {
    /// Returns a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let value = pairs.find_map(|(key, value)| (key == name).then_some(value))?;
        Some(decode(value))
    }

    /// Returns the body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the parts of the path.
    pub(crate) fn parts(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode)
            .collect()
    }

    /// Whether it changes something.
    pub(super) fn is_change(&self) -> bool {
        // git asks with POST as well.
        !matches!(self.method.as_str(), "GET" | "HEAD") && !self.path.ends_with("/git-upload-pack")
    }
}

/// Decodes percent-encoding.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|it| std::str::from_utf8(it).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], byte) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the connection is closed without an answer.
    pub is_dropped: bool,
}

impl Reply {
    /// Returns an answer without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Returns an answer with JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::status(status)
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
    }

    /// Returns a refusal with a message, in the form of each service.
    pub(crate) fn refusal(status: u16, message: &str) -> Self {
        let errors = json!([{ "code": message, "detail": message, "message": message }]);
        Self::json(status, &json!({ "message": message, "errors": errors }))
    }

    /// Returns an answer without anything: the connection ends.
    pub(super) fn nothing() -> Self {
        Self {
            is_dropped: true,
            ..Self::default()
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    pub(crate) fn body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }
}

/// What answers requests.
pub(crate) type Handler = Arc<dyn Fn(Received) -> Reply + Send + Sync>;

/// Starts a server, which runs until this process ends. Returns its address, such as `127.0.0.1:40001`.
///
/// # Errors
/// When there is no free port.
pub(crate) fn start(handler: Handler) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handler = Arc::clone(&handler);
            std::thread::spawn(move || {
                // A client that goes away is no failure of the server.
                drop(serve(&stream, &handler));
                drop(stream.shutdown(Shutdown::Both));
            });
        }
    });
    Ok(address)
}

fn serve(stream: &TcpStream, handler: &Handler) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    // An answer is written in two parts, of which the second must not wait until the first was received.
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(received) = read(&mut reader, stream)? {
        let is_head = received.method == "HEAD";
        let is_last = received.headers.get("connection").map(String::as_str) == Some("close");
        let reply = handler(received);
        if reply.is_dropped {
            break;
        }
        answer(stream, &reply, is_head)?;
        if is_last {
            break;
        }
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, reply: &Reply, is_head: bool) -> anyhow::Result<()> {
    let mut head = format!("HTTP/1.1 {} Answer\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !reply
        .headers
        .iter()
        .any(|(name, _)| name == "content-length")
    {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if !is_head {
        stream.write_all(&reply.body)?;
    }
    Ok(stream.flush()?)
}

/// Reads the next request; `None` when the client has no more.
fn read(
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
) -> anyhow::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = words.next().zip(words.next()).context("no request")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut received = Received {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        ..Received::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        received.headers.insert(name, value);
    }
    let header = |name: &str| received.headers.get(name).map(String::as_str);
    if header("expect") == Some("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if header("transfer-encoding").is_some() {
        received.body = chunks(reader)?;
    } else if let Some(length) = header("content-length") {
        let length: u64 = length.parse()?;
        ensure!(length <= LONGEST, "the body is too long");
        reader.take(length).read_to_end(&mut received.body)?;
        ensure!(
            received.body.len() as u64 == length,
            "the body is cut short"
        );
    }
    Ok(Some(received))
}

/// Reads a body in chunks (RFC 9112, section 7.1).
fn chunks(reader: &mut BufReader<&TcpStream>) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).context("a chunk without a size")?;
        ensure!(body.len() as u64 + size <= LONGEST, "the body is too long");
        reader.take(size).read_to_end(&mut body)?;
        let mut end = String::new();
        reader.read_line(&mut end)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
