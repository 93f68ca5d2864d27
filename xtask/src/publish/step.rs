//! A step of a release and its items.

use std::fmt;

use serde::Serialize;

use crate::publish::remotes::Remotes;
use crate::publish::request::Change;

/// The steps of a release, in their order: first what can be undone, then what cannot, and last what points to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tag,
    Draft,
    Files,
    Image,
    Crates,
    Npm,
    Pypi,
    Publish,
    Homebrew,
    Scoop,
    Apt,
    Dnf,
    Nix,
    Aur,
    Winget,
    Latest,
}

impl Kind {
    /// All steps in order.
    pub(crate) const ALL: [Self; 16] = [
        Self::Tag,
        Self::Draft,
        Self::Files,
        Self::Image,
        Self::Crates,
        Self::Npm,
        Self::Pypi,
        Self::Publish,
        Self::Homebrew,
        Self::Scoop,
        Self::Apt,
        Self::Dnf,
        Self::Nix,
        Self::Aur,
        Self::Winget,
        Self::Latest,
    ];

    /// Returns name and title.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Tag => ("tag", "push the commit and the tag"),
            Self::Draft => ("draft", "draft the release at GitHub"),
            Self::Files => ("files", "upload the files of the release"),
            Self::Image => ("image", "push the image"),
            Self::Crates => ("crates", "publish the crates"),
            Self::Npm => ("npm", "publish the packages of npm"),
            Self::Pypi => ("pypi", "publish the wheels and the sources for Python"),
            Self::Publish => ("publish", "compare what GitHub has, and publish the draft"),
            Self::Homebrew => ("homebrew", "write the Homebrew tap"),
            Self::Scoop => ("scoop", "write the Scoop bucket"),
            Self::Apt => ("apt", "write the repository for apt"),
            Self::Dnf => ("dnf", "write the repository for dnf"),
            Self::Nix => ("nix", "write the Nix flake"),
            Self::Aur => ("aur", "write the recipe for Arch Linux"),
            Self::Winget => ("winget", "open the pull request for winget"),
            Self::Latest => ("latest", "point `latest` to it"),
        }
    }

    /// Returns its name in plan and journal.
    pub(crate) const fn id(self) -> &'static str {
        self.names().0
    }

    /// Returns what it does, as a sentence without an end.
    pub(crate) const fn title(self) -> &'static str {
        self.names().1
    }

    /// Returns whether it can be undone.
    pub(crate) const fn reach(self) -> Reach {
        match self {
            Self::Tag | Self::Draft | Self::Files | Self::Image => Reach::Undoable,
            Self::Crates | Self::Npm | Self::Pypi | Self::Publish => Reach::Irrevocable,
            Self::Homebrew
            | Self::Scoop
            | Self::Apt
            | Self::Dnf
            | Self::Nix
            | Self::Aur
            | Self::Winget
            | Self::Latest => Reach::Pointer,
        }
    }
}

/// A part of a release, such as the packages for Python. Its items are published in order.
pub(crate) struct Step {
    /// Which one.
    pub kind: Kind,
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
