//! A step of a release and its items.

use std::fmt;

use serde::Serialize;

use crate::publish::remotes::Remotes;
use crate::publish::request::Change;

/// A part of a release, such as the packages for Python. Its items are published in order.
pub(crate) struct Step {
    /// Its name in plan and journal.
    pub id: &'static str,
    /// What it does, as a sentence without an end.
    pub title: &'static str,
    /// Whether it can be undone.
    pub reach: Reach,
    /// What it publishes.
    pub items: Vec<Box<dyn Item>>,
}

/// Whether a step can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reach {
    /// `release --abandon` removes it, and nobody has seen it.
    Undoable,
    /// It stays for ever; at most it can be marked as bad.
    Irrevocable,
    /// It points to what is published, so that it comes after it. It can point to something else later.
    Pointer,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undoable => "can be undone",
            Self::Irrevocable => "CANNOT BE UNDONE",
            Self::Pointer => "can be moved back",
        })
    }
}

/// What is at a remote for an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "what")]
pub(crate) enum State {
    /// Nothing.
    Absent,
    /// Something that this release replaces or completes.
    Before(String),
    /// What this release has there.
    Done,
    /// Something else, which is never overwritten.
    Other(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "not there"),
            Self::Before(what) => write!(f, "{what}"),
            Self::Done => write!(f, "done"),
            Self::Other(what) => write!(f, "TAKEN: {what}"),
        }
    }
}

/// The result of undoing an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
    /// There was nothing.
    Nothing,
    /// It is gone, or was moved back.
    Removed,
    /// It stays; the text says why, and what a person can do.
    Stays(String),
}

/// One thing that is published. `apply` after an interrupted `apply` completes it.
pub(crate) trait Item {
    /// What it is, such as `file noetl-v1.2.3-x86_64-apple-darwin.tar.gz`.
    fn name(&self) -> String;

    /// The changes that publish it where there is nothing, in order.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    fn changes(&self) -> anyhow::Result<Vec<Change>>;

    /// Further changes that may be needed after an interruption.
    ///
    /// # Errors
    /// As for [`Self::changes`].
    fn repairs(&self) -> anyhow::Result<Vec<Change>> {
        Ok(Vec::new())
    }

    /// Returns what is at the remote.
    ///
    /// # Errors
    /// When the remote does not answer or refuses the question.
    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State>;

    /// Publishes it, when there is nothing or only a part of it.
    ///
    /// # Errors
    /// When the remote does not answer or refuses.
    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()>;

    /// Removes it, if that is possible.
    ///
    /// # Errors
    /// When the remote does not answer or refuses.
    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone>;
}
