//! A docker-registry of a test's own, and a proxy in front of it that counts, and that breaks what it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Dist, show, tool, xtask};

/// A running docker-registry; gone when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) address: String,
    /// Its configuration and data, for as long as it runs.
    _folder: TempDir,
}

impl Registry {
    /// Starts one that lets everybody in, or notes that the program is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::with("", "", |_| {})
    }

    /// Starts one with more below `storage` and more at the top of its configuration, which may name files that
    /// `prepare` writes; `FOLDER` is where they are.
    pub(crate) fn with(storage: &str, top: &str, prepare: impl FnOnce(&TempDir)) -> Option<Self> {
        let mut command = tool("docker-registry")?;
        let folder = tempfile::tempdir().unwrap();
        prepare(&folder);
        let path = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: 127.0.0.1:0}}\nstorage: {{filesystem: {{rootdirectory: FOLDER/data}}, \
             delete: {{enabled: true}}, {storage}}}\n{top}\n"
        );
        fs::write(
            &path,
            text.replace("FOLDER", folder.path().to_str().unwrap()),
        )
        .unwrap();
        let mut child = command
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("docker-registry: {said:?}"))
                .unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ',']).next().unwrap().to_owned();
            }
            said.push(line);
        };
        // Read on, so that it never waits for somebody to listen.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address,
            _folder: folder,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A request as the proxy saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and what it is about: `PUT blob`, `HEAD tag`, `POST upload`, `GET token`.
    pub(crate) kind: String,
    /// How many of this kind came before it.
    pub(crate) nth: usize,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Length of its body in bytes.
    pub(crate) body: usize,
    /// The body of a form.
    pub(crate) text: String,
}

/// What the proxy does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// The registry answers.
    Pass,
    /// The proxy answers by itself: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The registry does what it is asked, and something else is told.
    PassAndAnswer(u16),
    /// The registry does what it is asked, and the connection ends without a word.
    PassAndDrop,
    /// The connection ends after so many bytes of the body.
    DropAfter(usize),
    /// The registry answers, and the answer's `Location` is changed: to a relative one, or gone.
    Location(Location),
    /// The registry's answer under another status.
    Status(u16),
    /// The registry answers somebody with this `Authorization`.
    Signed(String),
}

/// How a `Location` is changed.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    Relative,
    Missing,
    /// To this scheme, host and port.
    Elsewhere(String),
}

/// A proxy on loopback. Its threads end with the test's process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Proxy {
    /// Listens in front of `upstream`; `decide` is asked about every request.
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
                // A connection that breaks is what these tests are about.
                std::thread::spawn(move || serve(client.ok()?, upstream, decide.as_ref(), &log));
            }
        });
        Self { address, seen }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.seen().iter().filter(|seen| seen.kind == kind).count()
    }
}

/// Serves one connection until it ends; `None` when it has.
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
                Told::new(status)
            }
            Action::Answer(status, headers, body) => Told {
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                body: body.into_bytes(),
                ..Told::new(status)
            },
            Action::Signed(header) => pass(upstream, &method, &seen, &body, Some(&header))?,
            Action::Status(status) => Told { status, ..ask()? },
            Action::Location(change) => relocate(ask()?, change),
        };
        answer.send(&client, &method)?;
    }
}

fn hang_up(client: &TcpStream) -> Option<()> {
    client.shutdown(Shutdown::Both).ok()
}

/// An answer on its way to the client.
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What a HEAD says of the body that is not sent.
    length: Option<String>,
}

impl Told {
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

fn relocate(mut answer: Told, change: Location) -> Told {
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

/// Asks the registry, in HTTP/1.0, which has neither chunks nor kept connections.
fn pass(
    upstream: SocketAddr,
    method: &str,
    seen: &Seen,
    body: &[u8],
    authorization: Option<&str>,
) -> Option<Told> {
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
    Some(Told {
        status,
        headers: kept.collect(),
        body,
        length,
    })
}

/// The first line and the headers, by lowercase name.
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

/// The tar of the image in the dist that `cargo xtask test` prepared.
pub(crate) fn image() -> Option<(PathBuf, Value)> {
    Dist::find()?.image()
}

/// The command that pushes that image.
pub(crate) fn push_command(tar: &std::path::Path, registry: &str, tags: &[&str]) -> Command {
    let mut command = xtask(&["image", "push"]);
    command.arg(tar).args(["--registry", registry]);
    for tag in tags {
        command.args(["--tag", tag]);
    }
    command
}

/// Pushes that image and shows everything that was printed.
pub(crate) fn push(tar: &std::path::Path, registry: &str, tags: &[&str], more: &[&str]) -> String {
    show(push_command(tar, registry, tags).args(more))
}

/// What a registry says, asked without xtask.
pub(crate) struct Asked {
    pub(crate) status: u16,
    pub(crate) digest: Option<String>,
    pub(crate) body: Vec<u8>,
}

const TYPES: &str =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// Asks for `path` below `/v2/`; a body is an index.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: Option<&[u8]>) -> Asked {
    ask_as(
        address,
        method,
        path,
        body,
        "application/vnd.oci.image.index.v1+json",
    )
}

/// Asks for `path` below `/v2/` with a body of a media type.
pub(crate) fn ask_as(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&[u8]>,
    media_type: &str,
) -> Asked {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}/v2/{path}"))
        .header("accept", TYPES)
        .header("content-type", media_type);
    let mut response = match body {
        Some(bytes) => agent.run(request.body(bytes).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    }
    .unwrap();
    let digest = response.headers().get("docker-content-digest");
    Asked {
        status: response.status().as_u16(),
        digest: digest.map(|digest| digest.to_str().unwrap().to_owned()),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

/// Where a tag points to.
pub(crate) fn tag(address: &str, repository: &str, tag: &str) -> Option<String> {
    let asked = ask(
        address,
        "HEAD",
        &format!("{repository}/manifests/{tag}"),
        None,
    );
    assert!(matches!(asked.status, 200 | 404), "{}", asked.status);
    asked.digest.filter(|_| asked.status == 200)
}

/// Whether an index is there with everything below it.
pub(crate) fn is_whole(address: &str, repository: &str, digest: &str) -> bool {
    let document = |digest: &str| {
        let asked = ask(
            address,
            "GET",
            &format!("{repository}/manifests/{digest}"),
            None,
        );
        (asked.status == 200).then(|| serde_json::from_slice::<Value>(&asked.body).unwrap())
    };
    let has_blob = |blob: &Value| {
        let path = format!("{repository}/blobs/{}", blob["digest"].as_str().unwrap());
        ask(address, "HEAD", &path, None).status == 200
    };
    let child_is_whole = |child: &Value| {
        let manifest = document(child["digest"].as_str().unwrap());
        manifest.is_some_and(|manifest| {
            let layers = manifest["layers"].as_array().unwrap();
            layers.iter().chain([&manifest["config"]]).all(has_blob)
        })
    };
    document(digest).is_some_and(|index| {
        index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .all(child_is_whole)
    })
}
