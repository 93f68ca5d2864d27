//! The journal of a release on disk: who makes it, and what was begun and done when. Where a release goes on is read from
//! the remotes; the journal says why it stopped.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::ctx::Ctx;
use crate::host::files;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// An item was not there and is being published.
    Begun,
    /// An item is there as planned.
    Done,
    /// It failed, with the text of the error.
    Failed(String),
    /// It was removed again.
    Undone,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun => f.write_str("begun"),
            Self::Done => f.write_str("done"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Undone => f.write_str("undone"),
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When, in RFC 3339.
    pub time: String,
    /// The step.
    pub step: String,
    /// The item.
    pub item: String,
    /// What happened.
    pub event: Event,
}

/// The files about a release on this machine: `target/xtask/release/TAG/`.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    folder: Utf8PathBuf,
}

impl Journal {
    /// Returns the journal of a tag.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub(crate) fn open(ctx: &Ctx, tag: &str) -> anyhow::Result<Self> {
        let folder = ctx.state().join("release").join(tag);
        files::create_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Returns where the changes are written that were made.
    pub(crate) fn transcript(&self) -> Utf8PathBuf {
        self.folder.join("transcript.jsonl")
    }

    fn path(&self) -> Utf8PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn note(&self, step: &str, item: &str, event: Event) -> anyhow::Result<()> {
        let entry = Entry {
            time: Timestamp::now().to_string(),
            step: step.to_owned(),
            item: item.to_owned(),
            event,
        };
        files::append(
            &self.path(),
            &format!("{}\n", serde_json::to_string(&entry)?),
        )
    }

    /// Returns the last line that can be read; a line may be cut where the machine stopped.
    pub(crate) fn last(&self) -> Option<Entry> {
        let text = files::read_to_string(&self.path()).ok()?;
        let mut lines = text.lines().rev();
        lines.find_map(|line| serde_json::from_str(line).ok())
    }
}
