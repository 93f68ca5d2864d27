//! A proxy in front of a registry that records requests and injects faults; also used as a fake server.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that the proxy received.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and object: `PUT blob`, `HEAD tag`, `POST upload`, `GET token`.
    pub(crate) kind: String,
    /// The number of earlier requests of this kind.
    pub(crate) nth: usize,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Length of the body in bytes.
    pub(crate) body: usize,
    /// The body, if it is a form.
    pub(crate) text: String,
}

/// What the proxy does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// The registry executes the request, and the client gets its answer.
    Pass,
    /// The proxy answers without the registry: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The registry executes the request; the client gets an answer with this status.
    PassAndAnswer(u16),
    /// The registry executes the request, and the connection is closed without an answer.
    PassAndDrop,
    /// The connection is closed after this many bytes of the body.
    DropAfter(usize),
    /// The registry executes the request, and the `Location` in its answer is changed.
    Location(Location),
    /// The registry executes the request, and its answer gets this status.
    Status(u16),
    /// The registry executes the request with this `Authorization`.
    Signed(String),
}

/// How a `Location` is changed.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    Relative,
    Missing,
    /// With this scheme, host and port.
    Elsewhere(String),
}

/// A proxy on loopback. Its threads end with the test's process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Proxy {
    /// Starts a proxy for `upstream`; `decide` chooses the action for each request.
    pub(crate) fn start(
        upstream: &str,
        decide: impl Fn(&Seen) -> Action + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream: SocketAddr = upstream.parse().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (decide, log) = (Arc::new(decide), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (decide, log) = (Arc::clone(&decide), Arc::clone(&log));
                // Connection errors are expected: the tests inject them.
                std::thread::spawn(move || serve(client.ok()?, upstream, decide.as_ref(), &log));
            }
        });
        Self { address, seen }
    }

    /// Returns all requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the number of requests of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.seen().iter().filter(|seen| seen.kind == kind).count()
    }
}

/// Serves one connection until it is closed. Returns `None` then.
fn serve(
    client: TcpStream,
    upstream: SocketAddr,
    decide: &dyn Fn(&Seen) -> Action,
    log: &Mutex<Vec<Seen>>,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    loop {
        let (first, headers) = head(&mut reader)?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok());
        let length = length.unwrap_or(0);
        let mut body = Vec::new();
        if headers
            .get("content-type")
            .is_some_and(|kind| kind.ends_with("form-urlencoded"))
        {
            body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
        }
        let seen = {
            let mut log = log.lock().unwrap();
            let kind = kind(&method, &path);
            let seen = Seen {
                nth: log.iter().filter(|other| other.kind == kind).count(),
                kind,
                path,
                headers,
                body: length,
                text: String::from_utf8_lossy(&body).into_owned(),
            };
            log.push(seen.clone());
            seen
        };
        let action = decide(&seen);
        let wanted = match action {
            Action::DropAfter(bytes) => bytes.min(seen.body),
            _ => seen.body,
        };
        if body.is_empty() {
            body = vec![0; wanted];
            reader.read_exact(&mut body).ok()?;
        }
        let ask = || pass(upstream, &method, &seen, &body, None);
        let answer = match action {
            Action::Pass => ask()?,
            Action::DropAfter(_) => return hang_up(&client),
            Action::PassAndDrop => {
                ask()?;
                return hang_up(&client);
            }
            Action::PassAndAnswer(status) => {
                ask()?;
                Response::new(status)
            }
            Action::Answer(status, headers, body) => Response {
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                body: body.into_bytes(),
                ..Response::new(status)
            },
            Action::Signed(header) => pass(upstream, &method, &seen, &body, Some(&header))?,
            Action::Status(status) => Response { status, ..ask()? },
            Action::Location(change) => relocate(ask()?, change),
        };
        answer.send(&client, &method)?;
    }
}

fn hang_up(client: &TcpStream) -> Option<()> {
    client.shutdown(Shutdown::Both).ok()
}

/// An answer for the client.
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The content-length of an answer to HEAD, whose body is not sent.
    length: Option<String>,
}

impl Response {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            length: None,
        }
    }

    fn send(&self, mut client: &TcpStream, method: &str) -> Option<()> {
        let mut text = format!("HTTP/1.1 {} Told\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = match &self.length {
            Some(length) if method == "HEAD" => length.clone(),
            _ => self.body.len().to_string(),
        };
        text.push_str(&format!("content-length: {length}\r\n\r\n"));
        client.write_all(text.as_bytes()).ok()?;
        if method != "HEAD" {
            client.write_all(&self.body).ok()?;
        }
        Some(())
    }
}

fn relocate(mut answer: Response, change: Location) -> Response {
    for (name, value) in &mut answer.headers {
        if name == "location" {
            let rest = || value.splitn(4, '/').nth(3).unwrap();
            *value = match &change {
                Location::Elsewhere(origin) => format!("{origin}/{}", rest()),
                Location::Relative => format!("/{}", rest()),
                Location::Missing => String::new(),
            };
        }
    }
    answer.headers.retain(|(_, value)| !value.is_empty());
    answer
}

/// Forwards a request to the registry, by HTTP/1.0, which has neither chunks nor keep-alive.
fn pass(
    upstream: SocketAddr,
    method: &str,
    seen: &Seen,
    body: &[u8],
    authorization: Option<&str>,
) -> Option<Response> {
    let mut stream = TcpStream::connect(upstream).ok()?;
    let mut text = format!("{method} {} HTTP/1.0\r\n", seen.path);
    for (name, value) in &seen.headers {
        if name != "connection" && !(name == "authorization" && authorization.is_some()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if let Some(authorization) = authorization {
        text.push_str(&format!("authorization: {authorization}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = head(&mut reader)?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let mut body = Vec::new();
    if method != "HEAD" {
        reader.read_to_end(&mut body).ok()?;
    }
    let length = headers.get("content-length").cloned();
    let kept = headers
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "content-length" | "connection"));
    Some(Response {
        status,
        headers: kept.collect(),
        body,
        length,
    })
}

/// Reads the first line and the headers; header names are in lower case.
fn head(reader: &mut impl std::io::BufRead) -> Option<(String, BTreeMap<String, String>)> {
    let mut line = || {
        let mut line = String::new();
        let length = reader.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = BTreeMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            return Some((first, headers));
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn kind(method: &str, path: &str) -> String {
    let about = if path.contains("/blobs/uploads/") {
        if method == "PUT" { "blob" } else { "upload" }
    } else if path.contains("/blobs/") {
        "blob"
    } else if path.contains("/manifests/sha256:") {
        "manifest"
    } else if path.contains("/manifests/") {
        "tag"
    } else if path.contains("/tags/list") {
        "tags"
    } else if path.contains("/referrers/") {
        "referrers"
    } else {
        "token"
    };
    format!("{method} {about}")
}
