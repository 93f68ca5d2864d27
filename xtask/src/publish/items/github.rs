//! The release at GitHub: a draft, its files, and its publication (REST API, `releases`).
//!
//! Releases may be immutable: their files and their tag cannot change once they are published. So all files are there,
//! and were downloaded and compared, before a draft is published.

use anyhow::{Context as _, ensure};
use noetl_help::Help as _;
use noetl_oci::registry::Method;
use noetl_oci::{Blob, Sha256};
use serde::Deserialize;
use serde_json::json;

use crate::publish::endpoints::Service;
use crate::publish::remotes::{Remotes, path_part};
use crate::publish::request::{Change, Part, Request};
use crate::publish::step::{Item, State, Undone};

/// How many entries of a list one page has.
const PAGE: usize = 100;

/// A release as GitHub describes it; fields that are not needed are left out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Found {
    pub id: u64,
    pub tag_name: String,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub prerelease: bool,
    body: Option<String>,
    #[serde(default)]
    pub html_url: String,
}

impl Found {
    /// Returns the text, in Markdown.
    pub(crate) fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }
}

/// A file of a release.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Asset {
    pub id: u64,
    pub name: String,
    /// `uploaded`, or another word for a file whose upload was interrupted.
    pub state: String,
    /// `sha256:…`; older files have none.
    pub digest: Option<String>,
}

/// Returns all releases of a repository, with those drafts that the token may see.
///
/// # Errors
/// When GitHub refuses, or has no such repository.
pub(crate) fn all(remotes: &Remotes<'_>, repository: &str) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for page in 1.. {
        let path = format!("/repos/{repository}/releases?per_page={PAGE}&page={page}");
        let releases: Option<Vec<Found>> = remotes.read(Service::Github, &path)?;
        let mut releases = releases
            .with_context(|| format!("GitHub has no repository {repository}"))
            .help("check the name of the repository, and that GITHUB_TOKEN may read it")?;
        let is_last = releases.len() < PAGE;
        found.append(&mut releases);
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// The release of a tag in a repository.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// Such as `noetl/noetl`.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

impl Release {
    /// Returns a path below the repository's releases.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/releases{rest}", self.repository)
    }

    /// Finds the release, which may be a draft.
    ///
    /// # Errors
    /// When GitHub refuses, or there are several drafts.
    pub(crate) fn find(&self, remotes: &Remotes<'_>) -> anyhow::Result<Option<Found>> {
        let mut found = all(remotes, &self.repository)?;
        found.retain(|it| it.tag_name == self.tag);
        let count = found.len();
        let help = format!(
            "delete all but one of them at GitHub, then run it again ({})",
            self.tag
        );
        let check = || {
            ensure!(count < 2, "GitHub has {count} releases of {}", self.tag);
            Ok(())
        };
        check().help(help)?;
        Ok(found.pop())
    }

    /// Returns the release, which is there.
    ///
    /// # Errors
    /// When it is not, or GitHub refuses.
    pub(crate) fn found(&self, remotes: &Remotes<'_>) -> anyhow::Result<Found> {
        let found = self.find(remotes)?;
        found.with_context(|| format!("GitHub has no release of {}", self.tag))
    }

    /// Returns the files of a release.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub(crate) fn assets(&self, remotes: &Remotes<'_>, id: u64) -> anyhow::Result<Vec<Asset>> {
        let mut assets = Vec::new();
        for page in 1.. {
            let path = self.path(&format!("/{id}/assets?per_page={PAGE}&page={page}"));
            let found: Vec<Asset> = remotes.read(Service::Github, &path)?.unwrap_or_default();
            let is_last = found.len() < PAGE;
            assets.extend(found);
            if is_last {
                break;
            }
        }
        Ok(assets)
    }

    /// Returns the tag of the release that is the latest of the repository.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub(crate) fn latest(&self, remotes: &Remotes<'_>) -> anyhow::Result<Option<String>> {
        let found: Option<Found> = remotes.read(Service::Github, &self.path("/latest"))?;
        Ok(found.map(|it| it.tag_name))
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// When GitHub does not send it.
    pub(crate) fn download(&self, remotes: &Remotes<'_>, asset: &Asset) -> anyhow::Result<Vec<u8>> {
        let path = self.path(&format!("/assets/{}", asset.id));
        let answer = remotes.get(Service::Github, &path, "application/octet-stream")?;
        let answer = answer.with_context(|| format!("GitHub lost {}", asset.name))?;
        Ok(answer.body)
    }
}

/// The draft of a release.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub release: Release,
    /// The commit that the tag is on.
    pub commit: String,
    /// The text of the release, in Markdown.
    pub notes: String,
    pub is_prerelease: bool,
}

impl Draft {
    fn request(&self) -> Request {
        let body = json!({
            "tag_name": self.release.tag, "target_commitish": self.commit, "name": self.release.tag,
            "body": self.notes, "draft": true, "prerelease": self.is_prerelease, "make_latest": "false",
        });
        Request::json(Service::Github, Method::POST, self.release.path(""), body)
    }
}

impl Item for Draft {
    fn name(&self) -> String {
        format!(
            "draft of {} at {}",
            self.release.tag, self.release.repository
        )
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let Some(found) = self.release.find(remotes)? else {
            return Ok(State::Absent);
        };
        let plain = |text: &str| text.replace('\r', "").trim().to_owned();
        let is_same =
            plain(found.text()) == plain(&self.notes) && found.prerelease == self.is_prerelease;
        Ok(match (found.draft, is_same) {
            (_, true) | (false, _) => State::Done,
            (true, false) => State::Other(format!(
                "a draft of {} with another text; `cargo xtask release --abandon` deletes it",
                self.release.tag
            )),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.send(&self.request(), &[]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        let Some(found) = self.release.find(remotes)? else {
            return Ok(Undone::Nothing);
        };
        if !found.draft {
            let url = &found.html_url;
            return Ok(Undone::Stays(format!("the release is published: {url}")));
        }
        let path = self.release.path(&format!("/{}", found.id));
        let request = Request::empty(Service::Github, Method::DELETE, path);
        remotes.send_unplanned(&request, &[])?;
        Ok(Undone::Removed)
    }
}

/// A file of a release.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub release: Release,
    pub name: String,
    pub content: Blob,
    pub sha256: Sha256,
}

impl File {
    fn request(&self) -> anyhow::Result<Request> {
        let name = path_part(&self.name)?.replace('+', "%2B");
        let path = self
            .release
            .path(&format!("/{{release}}/assets?name={name}"));
        Ok(Request {
            content_type: content_type(&self.name).to_owned(),
            body: vec![Part::File(self.content.clone())],
            ..Request::empty(Service::GithubUploads, Method::POST, path)
        })
    }

    /// Deletes what an interrupted upload left.
    fn cleaning(&self) -> Request {
        let path = self.release.path("/assets/{incomplete}");
        Request::empty(Service::Github, Method::DELETE, path)
    }

    fn find(&self, remotes: &Remotes<'_>, release: u64) -> anyhow::Result<Option<Asset>> {
        let assets = self.release.assets(remotes, release)?;
        Ok(assets.into_iter().find(|it| it.name == self.name))
    }
}

impl Item for File {
    fn name(&self) -> String {
        format!("file {}", self.name)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request()?.change()?])
    }

    fn repairs(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.cleaning().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let Some(release) = self.release.find(remotes)? else {
            return Ok(State::Absent);
        };
        let Some(asset) = self.find(remotes, release.id)? else {
            return Ok(State::Absent);
        };
        if asset.state != "uploaded" {
            return Ok(State::Before("an interrupted upload".to_owned()));
        }
        let digest = match &asset.digest {
            Some(digest) => digest.clone(),
            None => Sha256::of(&self.release.download(remotes, &asset)?).digest(),
        };
        Ok(match digest == self.sha256.digest() {
            true => State::Done,
            false => State::Other(format!("a file of this name with {digest}")),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        let release = self.release.found(remotes)?;
        if let Some(asset) = self.find(remotes, release.id)? {
            let id = asset.id.to_string();
            ensure!(asset.state != "uploaded", "{} is there already", self.name);
            remotes.send(&self.cleaning(), &[("incomplete", &id)])?;
        }
        let id = release.id.to_string();
        remotes
            .send(&self.request()?, &[("release", &id)])
            .map(drop)
    }

    fn undo(&self, _: &Remotes<'_>) -> anyhow::Result<Undone> {
        // Files go with their draft.
        Ok(Undone::Nothing)
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("gz" | "tgz") => "application/gzip",
        Some("zip" | "whl") => "application/zip",
        Some("json") => "application/json",
        Some("tar") => "application/x-tar",
        Some("sh" | "ps1") => "text/plain",
        _ => "application/octet-stream",
    }
}
