//! The publication of a release at GitHub, and the latest one.

use anyhow::{Context as _, anyhow, ensure};
use noetl_help::Help as _;
use noetl_oci::Sha256;
use noetl_oci::registry::Method;
use serde_json::json;

use crate::publish::endpoints::Service;
use crate::publish::items::github::{Asset, Release};
use crate::publish::remotes::Remotes;
use crate::publish::request::{Change, Request};
use crate::publish::step::{Item, State, Undone};

/// The publication of a draft whose files are all there.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub release: Release,
    /// All files of the release with their hashes.
    pub files: Vec<(String, Sha256)>,
}

impl Publication {
    fn request(&self) -> Request {
        let body = json!({ "draft": false, "make_latest": "false" });
        let path = self.release.path("/{release}");
        Request::json(Service::Github, Method::PATCH, path, body)
    }

    /// Downloads every file and compares it, since an immutable release cannot be mended.
    fn compare(&self, remotes: &Remotes<'_>, id: u64) -> anyhow::Result<()> {
        let assets = self.release.assets(remotes, id)?;
        for (name, sha256) in &self.files {
            let asset = assets.iter().find(|it| it.name == *name);
            let asset = asset.with_context(|| format!("the draft has no file {name}"))?;
            let found = Sha256::of(&self.release.download(remotes, asset)?);
            ensure!(
                found == *sha256,
                "GitHub serves {name} as {found}, not {sha256}"
            );
        }
        let is_ours = |asset: &Asset| self.files.iter().any(|(name, _)| *name == asset.name);
        let foreign = assets.iter().find(|asset| !is_ours(asset));
        let foreign =
            foreign.map(|asset| anyhow!("the draft has a file of another origin: {}", asset.name));
        foreign.map_or(Ok(()), |error| {
            Err(error).help("delete it at GitHub, then run it again with --resume")
        })
    }
}

impl Item for Publication {
    fn name(&self) -> String {
        format!(
            "publish {} at {}",
            self.release.tag, self.release.repository
        )
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        Ok(match self.release.find(remotes)? {
            None => State::Absent,
            Some(found) if found.draft => State::Before("a draft".to_owned()),
            Some(_) => State::Done,
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        let found = self.release.found(remotes)?;
        self.compare(remotes, found.id)?;
        let id = found.id.to_string();
        remotes.send(&self.request(), &[("release", &id)]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(match self.release.find(remotes)? {
            Some(found) if !found.draft => Undone::Stays(format!(
                "{} is published; `cargo xtask release yank` marks it",
                found.html_url
            )),
            _ => Undone::Nothing,
        })
    }
}

/// Makes a release the one that `releases/latest` leads to.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub release: Release,
}

impl Latest {
    fn request(&self) -> Request {
        let path = self.release.path("/{release}");
        let body = json!({ "make_latest": "true" });
        Request::json(Service::Github, Method::PATCH, path, body)
    }
}

impl Item for Latest {
    fn name(&self) -> String {
        format!("latest release of {}", self.release.repository)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        Ok(match self.release.latest(remotes)? {
            None => State::Absent,
            Some(tag) if tag == self.release.tag => State::Done,
            Some(tag) => State::Before(tag),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        let id = self.release.found(remotes)?.id.to_string();
        remotes.send(&self.request(), &[("release", &id)]).map(drop)
    }

    fn undo(&self, _: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(Undone::Nothing)
    }
}
