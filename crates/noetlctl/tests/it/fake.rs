//! A server with answers that a test defines. It records the requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::support::{Home, show};

/// One recorded request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `GET /api/x?y=z`.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// Status, content type and body of an answer.
pub(crate) struct Answer(u16, &'static str, String);

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self(200, "application/json", body.to_string())
    }
}

impl From<(u16, Value)> for Answer {
    fn from((status, body): (u16, Value)) -> Self {
        Self(status, "application/json", body.to_string())
    }
}

impl Answer {
    /// A stream that ends after these messages.
    pub(crate) fn events(text: &str) -> Self {
        Self(200, "text/event-stream", text.to_owned())
    }

    pub(crate) fn html(status: u16, text: &str) -> Self {
        Self(status, "text/html", text.to_owned())
    }
}

/// The server. Its thread ends with the test's process.
pub(crate) struct Fake {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub(crate) fn new<A: Into<Answer>>(answer: impl Fn(&Request) -> A + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read(&stream);
                let Answer(status, kind, body) = answer(&request).into();
                seen.lock().unwrap().push(request);
                write(stream, status, kind, &body);
            }
        });
        Self { url, requests }
    }

    /// Returns the `noetl` command in this home, with this server as its server.
    pub(crate) fn command(&self, home: &Home, args: &[&str]) -> Command {
        let mut command = home.noetl(args);
        command.env("NOETL_SERVER_URL", &self.url);
        command
    }

    /// Runs a command like [`Home::run`].
    pub(crate) fn run(&self, home: &Home, args: &[&str]) -> String {
        show(&self.command(home, args).output().unwrap())
    }

    /// Returns the one JSON document that a command prints, and its exit code.
    pub(crate) fn json(&self, home: &Home, args: &[&str]) -> (Value, i32) {
        let output = self.command(home, args).output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{}", show(&output));
        let document = serde_json::from_str(&text).unwrap();
        (document, output.status.code().unwrap())
    }

    /// Returns the requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// Returns the line and the body of the only request since the last call.
    pub(crate) fn request(&self) -> (String, Value) {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        (requests[0].line.clone(), requests[0].body.clone())
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let line = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    Request {
        line,
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

fn write(mut stream: TcpStream, status: u16, kind: &str, body: &str) {
    let location = if (300..400).contains(&status) {
        "location: https://elsewhere.example/\r\n"
    } else {
        ""
    };
    let head =
        format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nconnection: close\r\n{location}");
    // The length of a stream is not known in advance.
    let length = if kind == "text/event-stream" {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    // The client may have closed the connection.
    drop(stream.write_all(format!("{head}{length}\r\n{body}").as_bytes()));
}
