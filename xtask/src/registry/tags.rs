//! Moving tags so that all move or none: immutable ones first, `latest` last, each read back; what had moved goes
//! back to where it was when one does not.

use anyhow::{Context as _, anyhow, bail};

use crate::error::WithHelp as _;
use crate::registry::client::{Client, Document};
use crate::registry::upload::Deleted;

/// Where one tag was before we came, and where it is to go.
#[derive(Debug, Clone)]
pub(super) struct Move {
    tag: String,
    /// What it pointed to; `None` when there was no such tag.
    before: Option<String>,
}

/// The tags of one push and the one index they are to point to.
#[derive(Debug)]
pub(super) struct Journal {
    client: Client,
    digest: String,
    moves: Vec<Move>,
    /// What has moved, each with the document it pointed to, fetched before.
    moved: Vec<(Move, Option<Document>)>,
    /// Whether this push brought the index.
    is_new: bool,
}

/// Whether a tag is a version or a commit, with or without a flavour behind it, so that it names one image for ever.
pub(crate) fn is_immutable(tag: &str) -> bool {
    is_version(tag) || is_commit(tag)
}

/// `1.2.3`, `v1.2.3-rc.1`, `1.2.3-python`; not `1.2`, which moves with each patch.
pub(crate) fn is_version(tag: &str) -> bool {
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let numbers = version.split(['-', '_']).next().unwrap_or_default();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(number)
}

/// A commit in full, or shortened as `sha-…` or to at least 7 digits of hex that are neither a word nor a date.
fn is_commit(tag: &str) -> bool {
    let (prefixed, tag) = match tag.strip_prefix("sha-") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let hex = tag.split('-').next().unwrap_or_default();
    let digits = hex.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = hex
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let looks_so = prefixed || hex.len() == 40 || (digits > 0 && digits < hex.len());
    is_hex && (7..=40).contains(&hex.len()) && looks_so
}

/// The order in which tags move: what never moves again first, `latest` last, so that nobody who follows a moving
/// tag sees a release whose own name is not there yet.
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
    /// Looks where all tags are: one request for each.
    pub(super) fn open(client: Client, digest: &str, tags: &[String]) -> anyhow::Result<Self> {
        let mut moves = Vec::new();
        for tag in in_order(tags) {
            let before = client.head(&tag)?.map(|head| head.digest);
            moves.push(Move { tag, before });
        }
        Ok(Self {
            client,
            digest: digest.to_owned(),
            moves,
            moved: Vec::new(),
            is_new: false,
        })
    }

    /// The repository's client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The tags that moved, each with where it was.
    pub(super) fn moved(&self) -> Vec<(String, Option<String>)> {
        let moved = self.moved.iter();
        moved
            .map(|(entry, _)| (entry.tag.clone(), entry.before.clone()))
            .collect()
    }

    /// The immutable tags that point elsewhere, each with where.
    pub(super) fn overwritten(&self) -> Vec<(&str, &str)> {
        let moved = self.pending().filter(|entry| is_immutable(&entry.tag));
        moved
            .filter_map(|entry| Some((entry.tag.as_str(), entry.before.as_deref()?)))
            .collect()
    }

    /// Whether every tag is where it should be.
    pub(super) fn is_done(&self) -> bool {
        self.pending().next().is_none()
    }

    fn pending(&self) -> impl Iterator<Item = &Move> {
        let elsewhere = |entry: &&Move| entry.before.as_deref() != Some(self.digest.as_str());
        self.moves.iter().filter(elsewhere)
    }

    /// Moves the tags to the index whose bytes are given. `is_new` says whether this push brought the index.
    ///
    /// # Errors
    /// When one does not move; then all are where they were, or the error says which are not.
    pub(super) fn carry_out(
        &mut self,
        media_type: &str,
        bytes: &[u8],
        is_new: bool,
    ) -> anyhow::Result<()> {
        self.is_new = is_new;
        let mut pending = Vec::new();
        for entry in self.pending() {
            // Fetched before anything moves: a registry may forget what no tag names.
            let document = entry
                .before
                .as_ref()
                .map(|digest| self.client.document(digest));
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

    /// Puts every tag back that has moved, because of `error`, which then says what came of that.
    pub(super) fn undo(&self, error: anyhow::Error) -> anyhow::Error {
        let left = self.restore();
        if left.is_empty() {
            error.context("nothing is published: every tag is where it was")
        } else {
            broken(error, &left)
        }
    }

    /// Moves one tag and reads it back.
    fn advance(&self, entry: &Move, media_type: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.client.store_document(&entry.tag, media_type, bytes)?;
        let now = self.client.head(&entry.tag)?.map(|head| head.digest);
        match now {
            Some(now) if now == self.digest => Ok(()),
            now => bail!(
                "the registry took {} for {}, and has {} there",
                self.digest,
                entry.tag,
                now.as_deref().unwrap_or("nothing")
            ),
        }
    }

    /// Puts tags back, the last first; gives those that are not where they were, with why.
    fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (entry, document) in self.moved.iter().rev() {
            let restored = match (&entry.before, document) {
                (Some(before), Some(document)) => self.put_back(entry, before, document),
                (Some(before), None) => Err(anyhow!("{before} could not be fetched")),
                (None, _) => self.take_away(entry),
            };
            if let Err(error) = restored {
                left.push(format!("{}: {error:#}", entry.tag));
            }
        }
        left
    }

    fn put_back(&self, entry: &Move, before: &str, document: &Document) -> anyhow::Result<()> {
        let now = self.client.head(&entry.tag)?;
        if now.is_some_and(|now| now.digest == before) {
            return Ok(());
        }
        self.client
            .store_document(&entry.tag, &document.media_type, &document.bytes)
            .map(|_| ())
            .with_context(|| format!("it was at {before}"))
    }

    /// Deletes a tag that was not there. A registry that deletes no tags may delete the index with them, which is
    /// safe when nobody but this push brought it.
    fn take_away(&self, entry: &Move) -> anyhow::Result<()> {
        if self.client.head(&entry.tag)?.is_none() {
            return Ok(());
        }
        if self.client.delete(&entry.tag)? == Deleted::Unsupported && self.is_new {
            self.client.delete(&self.digest)?;
        }
        match self.client.head(&entry.tag)? {
            None => Ok(()),
            Some(now) => bail!(
                "it was not there, is at {} now, and this registry deletes no tags",
                now.digest
            ),
        }
    }
}

fn broken(error: anyhow::Error, left: &[String]) -> anyhow::Error {
    let what = format!("these tags are not where they were: {}", left.join("; "));
    Err::<(), _>(error.context(what))
        .help("push again once the registry is well: what is there already is not sent twice")
        .expect_err("it was made from an error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_commits_never_move() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for tag in [
            "1.2.3",
            "v1.2.3",
            "1.2.3-rc.1",
            "0.1.0-python",
            commit,
            "0123abc",
            "sha-0123456",
            &format!("{commit}-python"),
        ] {
            assert!(is_immutable(tag), "{tag}");
        }
        for tag in [
            "latest",
            "1.2",
            "1",
            "main",
            "20260101",
            "defaced",
            "sha-xyz",
            "1.2.x",
            "again",
            "latest-python",
        ] {
            assert!(!is_immutable(tag), "{tag}");
        }
    }

    #[test]
    fn latest_moves_last() {
        let tags = ["latest", "1.2", "1.2.3", "latest", "sha-0123456"].map(ToOwned::to_owned);
        assert_eq!(in_order(&tags), ["1.2.3", "sha-0123456", "1.2", "latest"]);
    }
}
