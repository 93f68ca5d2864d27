//! Writing to a repository: blobs, manifests, tags, and taking them away again.
//!
//! An upload that seems to have failed may have arrived: registries have been seen to lose the answer and to
//! answer 404 or 5xx to what they kept, so the digest is looked for before anything is called a failure.

use std::time::Duration;

use anyhow::anyhow;
use ureq::http::Method;

use crate::digest::Sha256;
use crate::oci::model::Descriptor;
use crate::registry::client::Client;
use crate::registry::location;
use crate::registry::session::Attempt;
use crate::registry::transport::{Answer, Request, Tries};

/// How a blob came to be in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It was there.
    Before,
    /// It was there in another repository, and this one has it now too.
    Mounted,
    /// Its bytes were sent.
    Sent,
}

/// What became of something that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    /// It is gone.
    Gone,
    /// This registry takes nothing away, or not in this way.
    Unsupported,
}

/// One attempt that did not succeed.
enum Failure {
    /// It may be another time; the server may have said when.
    Passing(anyhow::Error, Option<Duration>),
    /// It never will.
    Final(anyhow::Error),
}

impl Failure {
    /// Waits for the next try, if there is one.
    fn wait(self, tries: &mut Tries) -> anyhow::Result<()> {
        match self {
            Self::Final(error) => Err(error),
            Self::Passing(error, asked) => {
                let wait = tries.next(asked).ok_or(error)?;
                std::thread::sleep(wait);
                Ok(())
            }
        }
    }
}

impl Client {
    /// Makes sure that a blob is in the repository. `bytes` may be missing when it can be mounted from `source`,
    /// another repository of the same registry.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub(super) fn store(
        &self,
        blob: &Descriptor,
        bytes: Option<&[u8]>,
        source: Option<&str>,
    ) -> anyhow::Result<Stored> {
        if self.has_blob(blob)? {
            return Ok(Stored::Before);
        }
        let digest = &blob.digest;
        let mut tries = Tries::new();
        loop {
            let failure = match self.try_to_store(digest, bytes, source) {
                Ok(stored) => return Ok(stored),
                Err(failure) => failure,
            };
            if self.has_blob(blob).unwrap_or(false) {
                return Ok(Stored::Sent);
            }
            failure.wait(&mut tries)?;
        }
    }

    fn has_blob(&self, blob: &Descriptor) -> anyhow::Result<bool> {
        let size = self.blob_size(&blob.digest)?;
        Ok(size.is_some_and(|size| size.is_none_or(|size| size == blob.size)))
    }

    /// POST for a place, or for the blob of another repository; then one PUT of the whole. No pieces: GHCR takes
    /// none above 4 MiB, and a broken upload cannot be resumed on docker-registry 2.8.
    fn try_to_store(
        &self,
        digest: &str,
        bytes: Option<&[u8]>,
        source: Option<&str>,
    ) -> Result<Stored, Failure> {
        let mut url = self.url("blobs/uploads", "");
        if let Some(source) = source {
            url.push_str(&format!("?mount={digest}&from={source}"));
        }
        let doing = format!("upload {digest}");
        let answer = self
            .session
            .send(&Request::new(Method::POST, url).body(&[]));
        let answer = answer.map_err(Failure::Final)?;
        match answer.status {
            201 if source.is_some() => return Ok(Stored::Mounted),
            202 => {}
            _ => return Err(Failure::Final(self.session.refused(&answer, &doing))),
        }
        let Some(bytes) = bytes else {
            let source = source.unwrap_or("no repository");
            let error =
                anyhow!("the layout lacks {digest}, and it could not be mounted from {source}");
            return Err(Failure::Final(error));
        };
        let Some(place) = answer.header("location") else {
            let url = location::shown(&answer.url);
            let error =
                anyhow!("cannot {doing}: {url} answers 202 without a Location to send it to");
            return Err(Failure::Passing(error, None));
        };
        let place = location::resolve(&answer.url, place).map_err(Failure::Final)?;
        let mark = if place.contains('?') { '&' } else { '?' };
        let request = Request::new(Method::PUT, format!("{place}{mark}digest={digest}"))
            .header("content-type", "application/octet-stream")
            .body(bytes);
        self.put(&request, digest, &doing).map(|_| Stored::Sent)
    }

    /// Stores a manifest or an index under its digest or a tag. Gives the registry's answer, unless that was lost.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub(super) fn store_document(
        &self,
        tag_or_digest: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> anyhow::Result<Option<Answer>> {
        let digest = Sha256::of(bytes).oci();
        let request = Request::new(Method::PUT, self.url("manifests", tag_or_digest))
            .header("content-type", media_type)
            .body(bytes);
        let mut tries = Tries::new();
        loop {
            let doing = format!("store {digest} as {tag_or_digest}");
            let failure = match self.put(&request, &digest, &doing) {
                Ok(answer) => return Ok(Some(answer)),
                Err(failure) => failure,
            };
            let head = self.head(tag_or_digest).unwrap_or(None);
            if head.is_some_and(|head| head.digest == digest) {
                return Ok(None);
            }
            failure.wait(&mut tries)?;
        }
    }

    /// Takes a tag, or a manifest with all its tags, away.
    pub(super) fn delete(&self, tag_or_digest: &str) -> anyhow::Result<Deleted> {
        let request = Request::new(Method::DELETE, self.url("manifests", tag_or_digest));
        let answer = self.session.send(&request)?;
        match answer.status {
            200 | 202 | 204 | 404 => Ok(Deleted::Gone),
            // 400: docker-registry 2.8 takes the tag for a malformed digest.
            400 | 405 | 501 => Ok(Deleted::Unsupported),
            _ => {
                let doing = format!("delete {tag_or_digest}");
                Err(self.session.refused(&answer, &doing))
            }
        }
    }

    /// One PUT, which has succeeded with 201 and with nothing else.
    fn put(&self, request: &Request<'_>, digest: &str, doing: &str) -> Result<Answer, Failure> {
        let attempt = self.session.once(request).map_err(Failure::Final)?;
        let answer = match attempt {
            Attempt::Answered(answer) => answer,
            Attempt::Lost(error) => {
                let hopeless = self.session.is_hopeless(&error);
                let lost = self.session.answer(Attempt::Lost(error), &request.url);
                let error = lost.expect_err("a lost answer is an error");
                return Err(if hopeless {
                    Failure::Final(error)
                } else {
                    Failure::Passing(error, None)
                });
            }
        };
        let refused = || self.session.refused(&answer, doing);
        match answer.status {
            201 => match answer.agrees_on(digest) {
                Ok(()) => Ok(answer),
                Err(error) => Err(Failure::Final(error)),
            },
            401 | 403 | 405 | 413 => Err(Failure::Final(refused())),
            // The registry has read a document and does not want it; a blob it may have received damaged.
            400 if answer.words().contains("MANIFEST_INVALID") => Err(Failure::Final(refused())),
            _ => Err(Failure::Passing(refused(), answer.retry_after())),
        }
    }
}
