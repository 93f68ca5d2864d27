//! Packages for npm's registry (registry API: the document of a package, and its tags).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_oci::Blob;
use noetl_oci::registry::Method;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA512, digest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::publish::endpoints::Service;
use crate::publish::remotes::Remotes;
use crate::publish::request::{Change, Part, Request};
use crate::publish::step::{Item, State, Undone};

/// The document of a package; fields that are not needed are left out.
#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    versions: BTreeMap<String, Version>,
}

#[derive(Debug, Deserialize)]
struct Version {
    dist: Dist,
}

#[derive(Debug, Deserialize)]
struct Dist {
    #[serde(default)]
    integrity: String,
}

/// A package of one version.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its name, such as `@noetl/cli-linux-x64`.
    pub name: String,
    pub version: String,
    /// `latest`, or `next` for what comes before a release.
    pub tag: &'static str,
    /// Its package.json.
    pub document: Value,
    pub content: Blob,
    /// Subresource integrity with SHA-512.
    pub integrity: String,
    /// The SHA-1, which old clients compare.
    pub shasum: String,
}

/// Returns the two hashes of a package: subresource integrity and SHA-1 in hexadecimal.
pub(crate) fn hashes(bytes: &[u8]) -> (String, String) {
    let sha512 = STANDARD.encode(digest(&SHA512, bytes));
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let sha1 = sha1.as_ref().iter().map(|byte| format!("{byte:02x}"));
    (format!("sha512-{sha512}"), sha1.collect())
}

/// Returns the path of a package's document.
pub(crate) fn path(package: &str) -> String {
    format!("/{}", package.replace('/', "%2f"))
}

/// Returns the integrity of a version in the registry.
///
/// # Errors
/// When the registry does not answer.
pub(crate) fn find(
    remotes: &Remotes<'_>,
    package: &str,
    version: &str,
) -> anyhow::Result<Option<String>> {
    let document: Option<Document> = remotes.read(Service::Npm, &path(package))?;
    let version = document.and_then(|mut it| it.versions.remove(version));
    Ok(version.map(|it| it.dist.integrity))
}

impl Package {
    fn request(&self) -> Request {
        let Self { name, version, .. } = self;
        let file = format!("{name}-{version}.tgz");
        let mut document = self.document.clone();
        document["_id"] = json!(format!("{name}@{version}"));
        let url = format!("http://localhost/{name}/-/{file}");
        document["dist"] =
            json!({ "integrity": self.integrity, "shasum": self.shasum, "tarball": url });
        let whole = json!({
            "_id": name, "name": name, "access": "public",
            "dist-tags": { self.tag: version }, "versions": { version: document },
        });
        // The file is in the document, as base64, and read when it is sent.
        let text = whole.to_string();
        let attached = json!(file);
        let length = self.content.length();
        let open = format!(
            "{},\"_attachments\":{{{attached}:{{\"content_type\":\"application/octet-stream\",\"length\":{length},\"data\":\"",
            &text[..text.len() - 1]
        );
        Request {
            body: vec![
                Part::Bytes(open.into_bytes()),
                Part::Base64(self.content.clone()),
                Part::Bytes(b"\"}}}".to_vec()),
            ],
            ..Request::empty(Service::Npm, Method::PUT, path(name))
        }
    }
}

impl Item for Package {
    fn name(&self) -> String {
        format!("package {} {}", self.name, self.version)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        Ok(match find(remotes, &self.name, &self.version)? {
            None => State::Absent,
            Some(found) if found == self.integrity => State::Done,
            Some(found) => State::Other(format!("this version with {found}")),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.send(&self.request(), &[]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(match self.observe(remotes)? {
            State::Absent => Undone::Nothing,
            _ => Undone::Stays(format!(
                "`npm unpublish {}@{}` may remove it within 72 hours",
                self.name, self.version
            )),
        })
    }
}
