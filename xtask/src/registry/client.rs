//! The few requests of the distribution API that pushing and fetching an image take (distribution-spec).
//!
//! Plain HTTP on loopback, TLS everywhere else; no redirects, so that nothing is sent elsewhere.

use anyhow::{Context as _, anyhow};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::digest::Sha256;
use crate::error::WithHelp as _;
use crate::oci::reference::Reference;

/// One repository of a registry.
pub(super) struct Client {
    agent: Agent,
    origin: String,
    repository: String,
}

impl Client {
    pub(super) fn new(reference: &Reference) -> Self {
        let loopback = reference.is_loopback();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!loopback)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("noetl-xtask/", env!("CARGO_PKG_VERSION")));
        if loopback {
            config = config.proxy(None);
        }
        let scheme = if loopback { "http" } else { "https" };
        Self {
            agent: config.build().into(),
            origin: format!("{scheme}://{}", reference.registry),
            repository: reference.repository.clone(),
        }
    }

    /// The digest a tag points to; `None` when there is no such tag.
    pub(super) fn manifest_digest(
        &self,
        tag_or_digest: &str,
        media_type: &str,
    ) -> anyhow::Result<Option<String>> {
        let url = self.url("manifests", tag_or_digest);
        let response = self.agent.head(&url).header("accept", media_type).call();
        let response = self.answered(response, &url)?;
        match response.status().as_u16() {
            200 => Ok(header(&response, "docker-content-digest")),
            404 => Ok(None),
            _ => Err(refused(&url, response)),
        }
    }

    /// Whether the registry has a blob.
    pub(super) fn has_blob(&self, digest: &str) -> anyhow::Result<bool> {
        let url = self.url("blobs", digest);
        let response = self.answered(self.agent.head(&url).call(), &url)?;
        match response.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(&url, response)),
        }
    }

    /// Uploads a blob in one piece: POST for a place, PUT of the whole.
    pub(super) fn upload_blob(&self, digest: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let url = self.url("blobs/uploads", "");
        let response = self.answered(self.agent.post(&url).send_empty(), &url)?;
        if response.status() != 202 {
            return Err(refused(&url, response));
        }
        let place = header(&response, "location")
            .with_context(|| format!("{url} named no place to upload to"))?;
        let place = self.absolute(&place)?;
        let url = format!(
            "{place}{}digest={digest}",
            if place.contains('?') { '&' } else { '?' }
        );
        let response = self
            .agent
            .put(&url)
            .header("content-type", "application/octet-stream")
            .send(bytes);
        let response = self.answered(response, &url)?;
        match response.status().as_u16() {
            201 => Ok(()),
            _ => Err(refused(&url, response)),
        }
    }

    /// Uploads a manifest or an index, under its digest or a tag.
    pub(super) fn put_manifest(
        &self,
        tag_or_digest: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> anyhow::Result<()> {
        let url = self.url("manifests", tag_or_digest);
        let response = self
            .agent
            .put(&url)
            .header("content-type", media_type)
            .send(bytes);
        let response = self.answered(response, &url)?;
        match response.status().as_u16() {
            201 => Ok(()),
            _ => Err(refused(&url, response)),
        }
    }

    /// A manifest in full, and the digest that it was asked for by or that the registry gives it.
    pub(super) fn manifest(
        &self,
        tag_or_digest: &str,
        accept: &str,
    ) -> anyhow::Result<(Vec<u8>, String)> {
        let url = self.url("manifests", tag_or_digest);
        let mut response =
            self.answered(self.agent.get(&url).header("accept", accept).call(), &url)?;
        if response.status() != 200 {
            return Err(refused(&url, response));
        }
        let given = header(&response, "docker-content-digest");
        let bytes = body(&mut response, &url)?;
        let computed = || Sha256::of(&bytes).oci();
        let digest = if tag_or_digest.contains(':') {
            tag_or_digest.to_owned()
        } else {
            given.unwrap_or_else(computed)
        };
        Ok((bytes, digest))
    }

    /// A manifest or blob in full; `None` when the registry does not have it.
    pub(super) fn find(
        &self,
        kind: &str,
        digest: &str,
        accept: &str,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let url = self.url(kind, digest);
        let mut response =
            self.answered(self.agent.get(&url).header("accept", accept).call(), &url)?;
        match response.status().as_u16() {
            200 => body(&mut response, &url).map(Some),
            404 => Ok(None),
            _ => Err(refused(&url, response)),
        }
    }

    fn url(&self, kind: &str, last: &str) -> String {
        format!("{}/v2/{}/{kind}/{last}", self.origin, self.repository)
    }

    /// An upload's place may be relative; one on another host is refused, as it would get our bytes.
    fn absolute(&self, place: &str) -> anyhow::Result<String> {
        if place.starts_with('/') {
            return Ok(format!("{}{place}", self.origin));
        }
        let same = place
            .strip_prefix(&self.origin)
            .is_some_and(|rest| rest.starts_with('/'));
        anyhow::ensure!(
            same,
            "{} sends the upload to another host: {place}",
            self.origin
        );
        Ok(place.to_owned())
    }

    fn answered(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
        url: &str,
    ) -> anyhow::Result<Response<Body>> {
        answer
            .with_context(|| format!("no answer from {url}"))
            .help(format!("is the registry at {} running?", self.origin))
    }
}

fn body(response: &mut Response<Body>, url: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = response
        .body_mut()
        .with_config()
        .limit(1 << 32)
        .read_to_vec();
    bytes.with_context(|| format!("{url} broke off"))
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(ToOwned::to_owned)
}

/// The registry's own words with its status.
fn refused(url: &str, mut response: Response<Body>) -> anyhow::Error {
    let status = response.status();
    let words = response
        .body_mut()
        .with_config()
        .limit(4096)
        .read_to_string()
        .unwrap_or_default();
    let error = anyhow!("{url}: {status} {}", words.trim());
    if status != 401 && status != 403 {
        return error;
    }
    let help = "this version signs in nowhere: use skopeo, which does, with docker:// and oci-archive: names";
    Err::<(), _>(error)
        .help(help)
        .expect_err("it was made from an error")
}
