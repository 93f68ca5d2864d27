//! The client, and the requests that read a repository (distribution-spec); those that write are in [`super::upload`].

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use ureq::http::Method;

use crate::blob::BlobReader;
use crate::digest::Sha256;
use crate::media_type::DOCUMENTS;
use crate::model::{Descriptor, ImageIndex};
use crate::reference::Reference;
use crate::registry::auth::SignIn;
use crate::registry::credentials::{Anonymous, Keychain};
use crate::registry::location;
use crate::registry::session::Session;
use crate::registry::transport::{Answer, Network, Request, Transport};
use crate::registry::tries::Tries;

/// How many tags are requested at once; GHCR returns at most this many.
const PAGE: usize = 100;

/// A client of registries: connections, and the source of credentials. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    keychain: Arc<dyn Keychain>,
    token_servers: Arc<[String]>,
}

impl Client {
    /// Returns a client that reaches registries as `network` says.
    pub fn new(keychain: Arc<dyn Keychain>, network: Network) -> Self {
        Self {
            transport: Transport::new(network),
            keychain,
            token_servers: Arc::new([]),
        }
    }

    /// Trusts token servers, named by host or `host:port`, with the credentials of every registry that sends the client
    /// to them. Without, only a server of the registry's own site gets them.
    #[must_use]
    pub fn trusting(self, token_servers: Vec<String>) -> Self {
        Self {
            token_servers: token_servers.into(),
            ..self
        }
    }

    /// Returns a client with the same connections that never signs in.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self {
            keychain: Arc::new(Anonymous),
            ..self.clone()
        }
    }

    /// Returns the repository of a name, for reading. Sends no request.
    pub fn repository(&self, reference: &Reference) -> Repository {
        self.open(reference, &["pull"], &[])
    }

    /// Returns the repository of a name, for reading and writing, and for mounting blobs from the repositories
    /// `sources` of the same registry. Sends no request.
    pub fn writable(&self, reference: &Reference, sources: &[String]) -> Repository {
        self.open(reference, &["pull", "push"], sources)
    }

    fn open(&self, reference: &Reference, actions: &[&str], sources: &[String]) -> Repository {
        let name = match (reference.registry.as_str(), &reference.repository) {
            ("docker.io", name) if !name.contains('/') => format!("library/{name}"),
            (_, name) => name.clone(),
        };
        let scope =
            |name: &str, actions: &[&str]| format!("repository:{name}:{}", actions.join(","));
        let mut scopes = vec![scope(&name, actions)];
        scopes.extend(sources.iter().map(|source| scope(source, &["pull"])));
        let sign_in = SignIn {
            keychain: Arc::clone(&self.keychain),
            token_servers: Arc::clone(&self.token_servers),
            repository: name.clone(),
            scopes,
        };
        Repository {
            session: Session::new(self.transport.clone(), &reference.registry, sign_in),
            name,
        }
    }
}

/// A repository of a registry.
#[derive(Debug)]
pub struct Repository {
    pub(super) session: Session,
    name: String,
}

/// Digest and size of a manifest or index, from the headers of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `Docker-Content-Digest`, or the digest of the bytes when the registry does not send this header.
    pub digest: String,
    /// `Content-Length` in bytes, if the registry sends it.
    pub size: Option<u64>,
}

/// A manifest or an index that a registry sent.
#[derive(Debug, Clone)]
pub struct RemoteDocument {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The value of `Content-Type`.
    pub media_type: String,
    /// The value of `Docker-Content-Digest`, if the registry sends it.
    pub given: Option<String>,
}

impl RemoteDocument {
    /// Returns the digest of the bytes.
    pub fn digest(&self) -> String {
        Sha256::of(&self.bytes).digest()
    }
}

impl Repository {
    /// Returns digest and size of a manifest or index; `None` when there is none with this tag or digest.
    ///
    /// # Errors
    /// When the registry does not answer or refuses.
    pub fn head(&self, tag_or_digest: &str) -> anyhow::Result<Option<Head>> {
        let request = Request::new(Method::HEAD, self.url("manifests", tag_or_digest))
            .header("accept", every_type());
        let answer = self.session.send(&request)?;
        match answer.status {
            200 => match answer.header("docker-content-digest") {
                Some(digest) => Ok(Some(Head {
                    digest: digest.to_owned(),
                    size: length(&answer),
                })),
                None => Ok(self.document(tag_or_digest)?.map(|document| Head {
                    digest: document.digest(),
                    size: Some(document.bytes.len() as u64),
                })),
            },
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "look for an image")),
        }
    }

    /// Returns a manifest or an index; `None` when there is none with this tag or digest. The digest of the bytes is
    /// not checked.
    ///
    /// # Errors
    /// When the registry does not answer or refuses.
    pub fn document(&self, tag_or_digest: &str) -> anyhow::Result<Option<RemoteDocument>> {
        let (answer, document) = self.document_as(tag_or_digest, Some(&every_type()))?;
        match answer.status {
            200 => Ok(Some(document)),
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "fetch an image")),
        }
    }

    /// Returns the answer to a request with the given `Accept` header, or without one.
    pub(super) fn document_as(
        &self,
        tag_or_digest: &str,
        accept: Option<&str>,
    ) -> anyhow::Result<(Answer, RemoteDocument)> {
        let mut request = Request::new(Method::GET, self.url("manifests", tag_or_digest));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let mut answer = self.session.send(&request)?;
        let given = |name| answer.header(name).map(ToOwned::to_owned);
        let document = RemoteDocument {
            media_type: given("content-type").unwrap_or_default(),
            given: given("docker-content-digest"),
            bytes: Vec::new(),
        };
        let bytes = match answer.status {
            200 => std::mem::take(&mut answer.body),
            _ => Vec::new(),
        };
        Ok((answer, RemoteDocument { bytes, ..document }))
    }

    /// Returns the size of a blob in bytes; the inner `None` when the registry does not send it, the outer when there
    /// is no such blob.
    ///
    /// # Errors
    /// When the registry does not answer or refuses.
    pub fn blob_size(&self, digest: &str) -> anyhow::Result<Option<Option<u64>>> {
        let request = Request::new(Method::HEAD, self.url("blobs", digest));
        let answer = self.session.send(&request)?;
        match answer.status {
            200 => Ok(Some(length(&answer))),
            404 => Ok(None),
            _ => Err(self.session.refused(&answer, "look for a blob")),
        }
    }

    /// Opens a blob for reading; `None` when there is none. When a connection breaks, the reader requests the rest. The
    /// digest of the bytes is not checked.
    ///
    /// # Errors
    /// When the registry does not answer or refuses.
    pub fn blob(self: &Arc<Self>, digest: &str) -> anyhow::Result<Option<BlobReader>> {
        let Some(stream) = self.blob_from(digest, 0)? else {
            return Ok(None);
        };
        Ok(Some(Box::new(Download {
            repository: Arc::clone(self),
            digest: digest.to_owned(),
            stream,
            position: 0,
            tries: Tries::new(),
        })))
    }

    /// Opens a blob for reading from the offset `position` in bytes.
    fn blob_from(&self, digest: &str, position: u64) -> anyhow::Result<Option<BlobReader>> {
        let mut request = Request::new(Method::GET, self.url("blobs", digest)).streaming();
        if position > 0 {
            request = request.header("range", format!("bytes={position}-"));
        }
        let mut answer = self.session.send(&request)?;
        match (answer.status, answer.stream.take()) {
            (206, Some(stream)) => Ok(Some(stream)),
            // Without a range, or when the registry ignores it.
            (200, Some(mut stream)) => {
                io::copy(&mut (&mut stream).take(position), &mut io::sink())
                    .context("the answer of the registry ends too early")?;
                Ok(Some(stream))
            }
            (404, _) => Ok(None),
            _ => Err(self.session.refused(&answer, "fetch a blob")),
        }
    }

    /// Returns all tags; `None` when there is no such repository.
    ///
    /// # Errors
    /// When the registry does not answer or refuses.
    pub fn tags(&self) -> anyhow::Result<Option<Vec<String>>> {
        #[derive(Deserialize)]
        struct Listing {
            tags: Option<Vec<String>>,
        }
        let url = format!("{}?n={PAGE}", self.url("tags", "list"));
        let Some(pages) = self.pages(url, "list the tags")? else {
            return Ok(None);
        };
        let mut tags = Vec::new();
        for page in pages {
            let listing: Listing =
                serde_json::from_slice(&page).context("the list of tags is damaged")?;
            tags.extend(listing.tags.into_iter().flatten());
        }
        Ok(Some(tags))
    }

    /// Returns the referrers of an image from the referrers API; `None` when the registry does not have this API.
    pub(super) fn referrers(&self, subject: &str) -> anyhow::Result<Option<Vec<Descriptor>>> {
        let Some(pages) = self.pages(self.url("referrers", subject), "list referrers")? else {
            return Ok(None);
        };
        let mut referrers = Vec::new();
        for page in pages {
            // A proxy may answer with a web page and status 200.
            let Ok(index) = serde_json::from_slice::<ImageIndex>(&page) else {
                return Ok(None);
            };
            referrers.extend(index.manifests);
        }
        Ok(Some(referrers))
    }

    /// Returns all pages of a list, following `Link` headers; `None` when there is no such list.
    fn pages(&self, first: String, doing: &str) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let mut pages = Vec::new();
        let mut seen = Vec::new();
        let mut next = Some(first);
        while let Some(url) = next {
            ensure!(
                !seen.contains(&url),
                "cannot {doing}: the pages of {} form a loop",
                location::shown(&url)
            );
            let answer = self.session.send(&Request::new(Method::GET, url.clone()))?;
            match answer.status {
                200 => {}
                404 | 405 => return Ok(None),
                _ => return Err(self.session.refused(&answer, doing)),
            }
            let link = answer.header("link").and_then(next_page);
            next = link.map(|link| location::resolve(&url, link)).transpose()?;
            seen.push(url);
            pages.push(answer.body);
        }
        Ok(Some(pages))
    }

    /// Returns a URL of the repository; `kind` is `manifests`, `blobs`, `blobs/uploads`, `tags` or `referrers`.
    pub(super) fn url(&self, kind: &str, last: &str) -> String {
        let origin = self.session.origin();
        format!("{origin}/v2/{}/{kind}/{last}", self.name)
    }
}

/// Reads a blob, and requests the rest when the connection breaks.
struct Download {
    repository: Arc<Repository>,
    digest: String,
    stream: BlobReader,
    position: u64,
    tries: Tries,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let error = match self.stream.read(buffer) {
                Ok(length) => {
                    self.position += length as u64;
                    return Ok(length);
                }
                Err(error) => error,
            };
            let Some(wait) = self.tries.next(None) else {
                return Err(error);
            };
            std::thread::sleep(wait);
            let again = self.repository.blob_from(&self.digest, self.position);
            match again.map_err(|error| io::Error::other(format!("{error:#}")))? {
                Some(stream) => self.stream = stream,
                None => return Err(error),
            }
        }
    }
}

/// Returns an `Accept` header with all media types that a tag may point to, OCI's first.
fn every_type() -> String {
    DOCUMENTS.join(", ")
}

fn length(answer: &Answer) -> Option<u64> {
    answer.header("content-length")?.trim().parse().ok()
}

/// Returns the target of the link `<…>; rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    let mut links = link
        .split('<')
        .skip(1)
        .filter_map(|link| link.split_once('>'));
    let next = links.find(|(_, parameters)| {
        let parameters = parameters.to_ascii_lowercase();
        parameters.contains("rel=\"next\"") || parameters.contains("rel=next")
    });
    next.map(|(target, _)| target)
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn the_next_page_is_found_by_its_relation() {
        for (link, next) in [
            (
                r#"</v2/a/tags/list?last=x&n=2>; rel="next""#,
                Some("/v2/a/tags/list?last=x&n=2"),
            ),
            (r#"</first>; rel="first", </b,c>; REL=next"#, Some("/b,c")),
            (r#"</first>; rel="prev""#, None),
            ("rubbish", None),
        ] {
            assert_eq!(next_page(link), next, "{link}");
        }
    }
}
