//! A registry of images (distribution-spec 1.1) as far as a push uses it.

use std::collections::BTreeMap;

use noetl_oci::Sha256;
use serde_json::{Value, json};

use super::server::{Received, Reply};

/// What the registry holds.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Blobs by digest, of all repositories.
    blobs: BTreeMap<String, Vec<u8>>,
    /// Media type and bytes of manifests by digest.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Digests by repository and tag.
    tags: BTreeMap<String, String>,
    /// Uploads that are not complete.
    uploads: BTreeMap<String, Vec<u8>>,
    next: u64,
}

impl State {
    /// Returns the tags with their digests.
    pub(super) fn published(&self) -> Value {
        json!(self.tags)
    }
}

/// Answers a request.
pub(super) fn handle(state: &mut State, request: &Received) -> Reply {
    let parts = request.parts();
    let Some((_, parts)) = parts.split_first().filter(|(first, _)| *first == "v2") else {
        return Reply::status(404);
    };
    let is_kind =
        |part: &String| matches!(part.as_str(), "blobs" | "manifests" | "tags" | "referrers");
    let Some(at) = parts.iter().rposition(is_kind) else {
        return Reply::json(200, &json!({}));
    };
    let repository = parts[..at].join("/");
    let rest: Vec<&str> = parts[at..].iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["blobs", "uploads"] => start(state, request, &repository),
        ["blobs", "uploads", id] => go_on(state, request, &repository, id),
        ["blobs", digest] => match state.blobs.get(*digest) {
            Some(bytes) => found(digest, "application/octet-stream", bytes),
            None => Reply::refusal(404, "BLOB_UNKNOWN"),
        },
        ["manifests", name] if request.method == "PUT" => put(state, request, &repository, name),
        ["manifests", name] => {
            let digest = state.tags.get(&format!("{repository}:{name}"));
            let digest = digest.map_or_else(|| (*name).to_owned(), Clone::clone);
            match state.manifests.get(&digest) {
                Some((kind, bytes)) => found(&digest, kind, bytes),
                None => Reply::refusal(404, "MANIFEST_UNKNOWN"),
            }
        }
        _ => Reply::refusal(404, "UNSUPPORTED"),
    }
}

fn found(digest: &str, kind: &str, bytes: &[u8]) -> Reply {
    Reply::status(200)
        .header("docker-content-digest", digest)
        .header("content-type", kind)
        .header("content-length", bytes.len().to_string())
        .body(bytes.to_vec())
}

/// Begins an upload, or takes a whole blob.
fn start(state: &mut State, request: &Received, repository: &str) -> Reply {
    if let Some(digest) = request.parameter("mount")
        && state.blobs.contains_key(&digest)
    {
        return Reply::status(201).header("docker-content-digest", digest);
    }
    if let Some(digest) = request.parameter("digest") {
        return store(state, &digest, request.body.clone(), repository);
    }
    state.next += 1;
    let id = state.next.to_string();
    state.uploads.insert(id.clone(), Vec::new());
    Reply::status(202).header("location", format!("/v2/{repository}/blobs/uploads/{id}"))
}

fn go_on(state: &mut State, request: &Received, repository: &str, id: &str) -> Reply {
    let Some(mut bytes) = state.uploads.remove(id) else {
        return Reply::refusal(404, "BLOB_UPLOAD_UNKNOWN");
    };
    bytes.extend_from_slice(&request.body);
    if request.method == "PUT" {
        let digest = request.parameter("digest").unwrap_or_default();
        return store(state, &digest, bytes, repository);
    }
    let range = format!("0-{}", bytes.len().saturating_sub(1));
    state.uploads.insert(id.to_owned(), bytes);
    Reply::status(202)
        .header("location", format!("/v2/{repository}/blobs/uploads/{id}"))
        .header("range", range)
}

fn store(state: &mut State, digest: &str, bytes: Vec<u8>, repository: &str) -> Reply {
    if Sha256::of(&bytes).digest() != digest {
        return Reply::refusal(400, "DIGEST_INVALID");
    }
    state.blobs.insert(digest.to_owned(), bytes);
    Reply::status(201)
        .header("docker-content-digest", digest)
        .header("location", format!("/v2/{repository}/blobs/{digest}"))
}

fn put(state: &mut State, request: &Received, repository: &str, name: &str) -> Reply {
    let digest = Sha256::of(&request.body).digest();
    let kind = request
        .headers
        .get("content-type")
        .cloned()
        .unwrap_or_default();
    let json = request.json();
    let parts = ["config", "layers", "manifests"]
        .iter()
        .flat_map(|field| match &json[*field] {
            Value::Array(all) => all.clone(),
            Value::Object(one) => vec![Value::Object(one.clone())],
            _ => Vec::new(),
        });
    for part in parts {
        let part = part["digest"].as_str().unwrap_or_default().to_owned();
        if !state.blobs.contains_key(&part) && !state.manifests.contains_key(&part) {
            return Reply::refusal(400, "MANIFEST_BLOB_UNKNOWN");
        }
    }
    state
        .manifests
        .insert(digest.clone(), (kind, request.body.clone()));
    if !name.starts_with("sha256:") {
        state
            .tags
            .insert(format!("{repository}:{name}"), digest.clone());
    }
    Reply::status(201).header("docker-content-digest", digest)
}
