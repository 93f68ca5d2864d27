//! Registries of packages: crates, npm and Python, as far as a release uses them. A version or a file that exists is
//! refused, whatever its bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_oci::Sha256;
use serde_json::{Value, json};

use super::server::{Received, Reply};

/// What the registries hold.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Lines of the index, by crate.
    crates: BTreeMap<String, Vec<Value>>,
    /// Documents of packages.
    npm: BTreeMap<String, Value>,
    /// Hashes of files, by project and file.
    pypi: BTreeMap<String, BTreeMap<String, String>>,
}

impl State {
    /// Returns what is published.
    pub(super) fn published(&self) -> Value {
        json!({ "crates": self.crates, "npm": self.npm, "pypi": self.pypi })
    }
}

fn authorization(request: &Received) -> &str {
    request
        .headers
        .get("authorization")
        .map_or("", String::as_str)
}

/// Answers a request for crates; the index is below `/index`.
pub(super) fn crates(state: &mut State, request: &Received) -> Reply {
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["index", .., name]) => match state.crates.get(*name) {
            Some(lines) => {
                let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
                Reply::status(200).body(lines.into_bytes())
            }
            None => Reply::status(404),
        },
        ("PUT", ["api", "v1", "crates", "new"]) => {
            if authorization(request).is_empty() {
                return Reply::refusal(403, "must be logged in");
            }
            publish_crate(state, &request.body)
                .unwrap_or_else(|| Reply::refusal(400, "the body is damaged"))
        }
        ("DELETE", ["api", "v1", "crates", name, version, "yank"]) => {
            let lines = state.crates.get_mut(*name);
            let mut lines = lines.into_iter().flatten();
            match lines.find(|line| line["vers"] == *version) {
                Some(line) => {
                    line["yanked"] = json!(true);
                    Reply::json(200, &json!({ "ok": true }))
                }
                None => Reply::refusal(404, "no such version"),
            }
        }
        _ => Reply::status(404),
    }
}

fn publish_crate(state: &mut State, body: &[u8]) -> Option<Reply> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (metadata, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (length, file) = rest.split_first_chunk::<4>()?;
    if file.len() != u32::from_le_bytes(*length) as usize {
        return None;
    }
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let (name, version) = (metadata["name"].as_str()?, metadata["vers"].as_str()?);
    for dependency in metadata["deps"].as_array()? {
        // What is published depends on what is published; crates of others are taken for granted.
        let needed = dependency["name"].as_str()?;
        let is_own = needed.starts_with("noetl") && dependency["kind"] != "dev";
        if is_own && !state.crates.contains_key(needed) {
            return Some(Reply::refusal(
                400,
                &format!("{name} depends on {needed}, which is not published"),
            ));
        }
    }
    let lines = state.crates.entry(name.to_owned()).or_default();
    if lines.iter().any(|line| line["vers"] == version) {
        return Some(Reply::refusal(422, "this version is already uploaded"));
    }
    lines.push(json!({ "name": name, "vers": version, "cksum": Sha256::of(file).to_string(), "yanked": false }));
    Some(Reply::json(200, &json!({ "warnings": {} })))
}

/// Answers a request for npm.
pub(super) fn npm(state: &mut State, request: &Received) -> Reply {
    let parts = request.parts();
    let name = parts.first().cloned().unwrap_or_default();
    match (request.method.as_str(), parts.len()) {
        ("GET", 1) => match state.npm.get(&name) {
            Some(document) => Reply::json(200, document),
            None => Reply::status(404),
        },
        ("PUT", 1) if !authorization(request).starts_with("Bearer ") => {
            Reply::refusal(401, "sign in first")
        }
        ("PUT", 1) => publish_npm(state, &name, &request.json())
            .unwrap_or_else(|| Reply::refusal(400, "the document is damaged")),
        _ => Reply::status(404),
    }
}

fn publish_npm(state: &mut State, name: &str, sent: &Value) -> Option<Reply> {
    let (version, fields) = sent["versions"].as_object()?.iter().next()?;
    let known = state.npm.get(name);
    let existing = known.and_then(|it| it["versions"].get(version));
    if let Some(existing) = existing {
        // A change of the text of a version is how npm deprecates it.
        if sent.get("_attachments").is_some() || existing["dist"] != fields["dist"] {
            return Some(Reply::refusal(
                403,
                "you cannot publish over the previously published versions",
            ));
        }
    } else {
        let attachment = sent["_attachments"].as_object()?.values().next()?;
        let bytes = STANDARD.decode(attachment["data"].as_str()?).ok()?;
        let (integrity, _) = crate::publish::items::npm::hashes(&bytes);
        if fields["dist"]["integrity"] != *integrity {
            return Some(Reply::refusal(400, "the integrity is not that of the file"));
        }
    }
    let document = state.npm.entry(name.to_owned());
    let document =
        document.or_insert_with(|| json!({ "name": name, "versions": {}, "dist-tags": {} }));
    document["versions"][version] = fields.clone();
    for (tag, version) in sent["dist-tags"].as_object()? {
        document["dist-tags"][tag] = version.clone();
    }
    Some(Reply::json(201, &json!({ "ok": true })))
}

/// Answers a request for Python's index: uploads at `/legacy/`, lists at `/simple/`.
pub(super) fn pypi(state: &mut State, request: &Received) -> Reply {
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["simple", project]) => match state.pypi.get(*project) {
            Some(files) => {
                let files: Vec<_> = files
                    .iter()
                    .map(|(name, sha256)| json!({ "filename": name, "hashes": { "sha256": sha256 } }))
                    .collect();
                Reply::json(200, &json!({ "name": project, "files": files }))
            }
            None => Reply::status(404),
        },
        ("POST", ["legacy"]) if !authorization(request).starts_with("Basic ") => {
            Reply::refusal(403, "sign in first")
        }
        ("POST", ["legacy"]) => {
            upload(state, request).unwrap_or_else(|| Reply::refusal(400, "the form is damaged"))
        }
        _ => Reply::status(404),
    }
}

fn upload(state: &mut State, request: &Received) -> Option<Reply> {
    let kind = request.headers.get("content-type")?;
    let (_, boundary) = kind.split_once("boundary=")?;
    let delimiter = format!("--{boundary}\r\n");
    let at = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes());
    let mut fields = BTreeMap::new();
    let mut file = None;
    let mut rest = request.body.as_slice();
    while let Some(start) = at(rest, &delimiter) {
        rest = &rest[start + delimiter.len()..];
        let head = at(rest, "\r\n\r\n")?;
        let headers = String::from_utf8_lossy(&rest[..head]).into_owned();
        let quoted = |name: &str| {
            let (_, value) = headers.split_once(&format!("{name}=\""))?;
            Some(value.split('"').next()?.to_owned())
        };
        let end = at(rest, &format!("\r\n--{boundary}"))?;
        let value = rest.get(head + 4..end)?;
        match quoted(" filename") {
            Some(name) => file = Some((name, value.to_vec())),
            None => drop(fields.insert(
                quoted(" name")?,
                String::from_utf8_lossy(value).into_owned(),
            )),
        }
        rest = &rest[end + 2..];
    }
    let (name, bytes) = file?;
    let sha256 = Sha256::of(&bytes).to_string();
    if fields.get("sha256_digest") != Some(&sha256) {
        return Some(Reply::refusal(400, "the hash is not that of the file"));
    }
    let needed = ["metadata_version", "version", "filetype", "pyversion"];
    if let Some(missing) = needed.iter().find(|field| !fields.contains_key(**field)) {
        return Some(Reply::refusal(400, &format!("{missing} is missing")));
    }
    let files = state.pypi.entry(fields.get("name")?.clone()).or_default();
    if files.contains_key(&name) {
        return Some(Reply::refusal(400, "File already exists"));
    }
    files.insert(name, sha256);
    Some(Reply::status(200))
}
