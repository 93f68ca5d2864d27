//! Moves tags so that all move or none: immutable ones first, `latest` last. Each is read back; when one does not move,
//! those that have moved are put back.

use anyhow::{Context as _, anyhow, bail};
use noetl_help::Help as _;

use crate::registry::client::{RemoteDocument, Repository};
use crate::registry::upload::Deleted;
use crate::tag::is_immutable;

/// A tag, and the digest that it pointed to before the push.
#[derive(Debug, Clone)]
pub(super) struct Move {
    tag: String,
    /// The digest that it pointed to; `None` when there was no such tag.
    before: Option<String>,
}

/// The tags of a push, and the index that they will point to.
#[derive(Debug)]
pub(super) struct Journal {
    repository: Repository,
    digest: String,
    moves: Vec<Move>,
    /// The tags that have moved, each with the document that it pointed to, which was fetched before.
    moved: Vec<(Move, Option<RemoteDocument>)>,
    /// Whether the index was not in the repository before this push.
    is_new: bool,
}

/// Returns each tag once, in the order in which they move: immutable ones first, `latest` last, so that a release has
/// its own tag before other tags point to it.
pub(super) fn in_order(tags: &[String]) -> Vec<String> {
    let mut ordered = Vec::new();
    for tag in tags {
        if !ordered.contains(tag) {
            ordered.push(tag.clone());
        }
    }
    ordered.sort_by_key(|tag| match tag.as_str() {
        "latest" => 2,
        tag if is_immutable(tag) => 0,
        _ => 1,
    });
    ordered
}

impl Journal {
    /// Reads the present digest of each tag, with one request for each.
    pub(super) fn open(
        repository: Repository,
        digest: &str,
        tags: &[String],
    ) -> anyhow::Result<Self> {
        let mut moves = Vec::new();
        for tag in in_order(tags) {
            let before = repository.head(&tag)?.map(|head| head.digest);
            moves.push(Move { tag, before });
        }
        Ok(Self {
            repository,
            digest: digest.to_owned(),
            moves,
            moved: Vec::new(),
            is_new: false,
        })
    }

    /// Returns the repository.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the digest of the index that the tags will point to.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the tags that moved, each with the digest that it pointed to before.
    pub(super) fn moved(&self) -> Vec<(String, Option<String>)> {
        let moved = self.moved.iter();
        moved
            .map(|(entry, _)| (entry.tag.clone(), entry.before.clone()))
            .collect()
    }

    /// Returns the immutable tags that point to another digest, each with that digest.
    pub(super) fn overwritten(&self) -> Vec<(&str, &str)> {
        let moved = self.pending().filter(|entry| is_immutable(&entry.tag));
        moved
            .filter_map(|entry| Some((entry.tag.as_str(), entry.before.as_deref()?)))
            .collect()
    }

    /// Returns whether every tag points to the index already.
    pub(super) fn is_done(&self) -> bool {
        self.pending().next().is_none()
    }

    fn pending(&self) -> impl Iterator<Item = &Move> {
        let elsewhere = |entry: &&Move| entry.before.as_deref() != Some(self.digest.as_str());
        self.moves.iter().filter(elsewhere)
    }

    /// Moves the tags to the index `bytes`. `is_new` is whether the index was not in the repository before this push.
    ///
    /// # Errors
    /// When one does not move. All are then put back; the error names those that could not be.
    pub(super) fn move_tags(
        &mut self,
        media_type: &str,
        bytes: &[u8],
        is_new: bool,
    ) -> anyhow::Result<()> {
        self.is_new = is_new;
        let mut pending = Vec::new();
        for entry in self.pending() {
            // Fetched before any tag moves, since a registry may delete images without a tag.
            let document = entry
                .before
                .as_ref()
                .map(|digest| self.repository.document(digest));
            let document = document.transpose()?.flatten();
            pending.push((entry.clone(), document));
        }
        for (entry, document) in pending {
            let advanced = self.advance(&entry, media_type, bytes);
            let tag = entry.tag.clone();
            self.moved.push((entry, document));
            if let Err(error) = advanced {
                return Err(self.undo(error.context(format!("the tag {tag} did not move"))));
            }
        }
        Ok(())
    }

    /// Puts back every tag that has moved. Returns `error` with the result as context.
    pub(super) fn undo(&self, error: anyhow::Error) -> anyhow::Error {
        let left = self.restore();
        if left.is_empty() {
            error.context("nothing is published: every tag is where it was")
        } else {
            not_restored(error, &left)
        }
    }

    /// Moves a tag, and reads it back.
    fn advance(&self, entry: &Move, media_type: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.repository
            .store_document(&entry.tag, media_type, bytes)?;
        let now = self.repository.head(&entry.tag)?.map(|head| head.digest);
        match now {
            Some(now) if now == self.digest => Ok(()),
            now => bail!(
                "the registry accepted {} as {}, but the tag points to {}",
                self.digest,
                entry.tag,
                now.as_deref().unwrap_or("nothing")
            ),
        }
    }

    /// Puts tags back, the last first. Returns those that could not be put back, with the reason.
    fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (entry, document) in self.moved.iter().rev() {
            let restored = match (&entry.before, document) {
                (Some(before), Some(document)) => self.put_back(entry, before, document),
                (Some(before), None) => Err(anyhow!("{before} could not be fetched")),
                (None, _) => self.delete(entry),
            };
            if let Err(error) = restored {
                left.push(format!("{}: {error:#}", entry.tag));
            }
        }
        left
    }

    fn put_back(
        &self,
        entry: &Move,
        before: &str,
        document: &RemoteDocument,
    ) -> anyhow::Result<()> {
        let now = self.repository.head(&entry.tag)?;
        if now.is_some_and(|now| now.digest == before) {
            return Ok(());
        }
        self.repository
            .store_document(&entry.tag, &document.media_type, &document.bytes)
            .map(|_| ())
            .with_context(|| format!("it was at {before}"))
    }

    /// Deletes a tag that did not exist before the push. When the registry cannot delete tags, the index is deleted
    /// with its tags, if it was not in the repository before.
    fn delete(&self, entry: &Move) -> anyhow::Result<()> {
        if self.repository.head(&entry.tag)?.is_none() {
            return Ok(());
        }
        if self.repository.delete(&entry.tag)? == Deleted::Unsupported && self.is_new {
            self.repository.delete(&self.digest)?;
        }
        match self.repository.head(&entry.tag)? {
            None => Ok(()),
            Some(now) => bail!(
                "it did not exist, points to {} now, and this registry cannot delete tags",
                now.digest
            ),
        }
    }
}

fn not_restored(error: anyhow::Error, left: &[String]) -> anyhow::Error {
    let what = format!("these tags are not where they were: {}", left.join("; "));
    error
        .context(what)
        .help("push again when the registry works: blobs that it has are not sent again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_moves_last() {
        let tags = ["latest", "1.2", "1.2.3", "latest", "sha-0123456"].map(ToOwned::to_owned);
        assert_eq!(in_order(&tags), ["1.2.3", "sha-0123456", "1.2", "latest"]);
    }
}
