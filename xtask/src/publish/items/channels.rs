//! Files in repositories at GitHub from which package managers read: the Homebrew tap, the Scoop bucket, the lists of apt
//! and dnf, and pull requests to collections of others (REST API, `git` and `pulls`).

use std::collections::BTreeMap;

use anyhow::Context as _;
use noetl_oci::Blob;
use noetl_oci::registry::Method;
use ring::digest::{Context as Digest, SHA1_FOR_LEGACY_USE_ONLY};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::publish::endpoints::Service;
use crate::publish::remotes::Remotes;
use crate::publish::request::{Change, Part, Request};
use crate::publish::step::{Item, State, Undone};

/// Who commits.
const NAME: &str = "NoETL release";
const EMAIL: &str = "release@noetl.io";

/// Files on a branch of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Such as `noetl/homebrew-tap`.
    pub repository: String,
    pub branch: String,
    /// Repository and branch that a new branch starts from; else the branch exists.
    pub from: Option<(String, String)>,
    /// The message of the commit.
    pub message: String,
    /// The time of the commit, in RFC 3339.
    pub time: String,
    /// The files by their paths; all others stay as they are.
    pub files: BTreeMap<String, Blob>,
}

#[derive(Debug, Deserialize)]
struct Ref {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct Commit {
    message: String,
    tree: Object,
    parents: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Tree {
    tree: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    path: String,
    sha: String,
}

/// Returns the name that git gives to a file's content.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn object_name(content: &Blob) -> anyhow::Result<String> {
    let mut digest = Digest::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(format!("blob {}\0", content.length()).as_bytes());
    digest.update(&content.read()?);
    let bytes = digest.finish();
    Ok(bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

impl Files {
    fn post(&self, what: &str, body: Value) -> Request {
        let path = format!("/repos/{}/git/{what}", self.repository);
        Request::json(Service::Github, Method::POST, path, body)
    }

    fn blob(&self, content: &Blob) -> Request {
        Request {
            body: vec![
                Part::Bytes(br#"{"encoding":"base64","content":""#.to_vec()),
                Part::Base64(content.clone()),
                Part::Bytes(br#""}"#.to_vec()),
            ],
            ..self.post("blobs", Value::Null)
        }
    }

    /// Returns the contents by the names of their objects; several files may have the same.
    fn contents(&self) -> anyhow::Result<BTreeMap<String, &Blob>> {
        let contents = self.files.values();
        contents.map(|it| Ok((object_name(it)?, it))).collect()
    }

    fn tree(&self) -> anyhow::Result<Request> {
        let mut entries = Vec::new();
        for (path, content) in &self.files {
            let sha = object_name(content)?;
            entries.push(json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha }));
        }
        Ok(self.post("trees", json!({ "base_tree": "{base}", "tree": entries })))
    }

    fn commit(&self) -> Request {
        let who = json!({ "name": NAME, "email": EMAIL, "date": self.time });
        let body = json!({
            "message": self.message, "tree": "{tree}", "parents": ["{head}"], "author": who, "committer": who,
        });
        self.post("commits", body)
    }

    /// Makes the branch, or moves it forward.
    fn reference(&self) -> Request {
        if self.from.is_some() {
            let name = format!("refs/heads/{}", self.branch);
            return self.post("refs", json!({ "ref": name, "sha": "{commit}" }));
        }
        let path = format!("/repos/{}/git/refs/heads/{}", self.repository, self.branch);
        let body = json!({ "sha": "{commit}", "force": false });
        Request::json(Service::Github, Method::PATCH, path, body)
    }

    fn head(&self, remotes: &Remotes<'_>) -> anyhow::Result<Option<String>> {
        head(remotes, &self.repository, &self.branch)
    }

    /// Returns the names of all objects on the branch, by path; `None` without a branch.
    fn found(&self, remotes: &Remotes<'_>) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        let Some(head) = self.head(remotes)? else {
            return Ok(None);
        };
        let path = format!("/repos/{}/git/trees/{head}?recursive=1", self.repository);
        let tree: Option<Tree> = remotes.read(Service::Github, &path)?;
        let entries = tree.map(|it| it.tree).unwrap_or_default();
        Ok(Some(
            entries.into_iter().map(|it| (it.path, it.sha)).collect(),
        ))
    }

    fn read_commit(&self, remotes: &Remotes<'_>, sha: &str) -> anyhow::Result<Commit> {
        let path = format!("/repos/{}/git/commits/{sha}", self.repository);
        let commit = remotes.read(Service::Github, &path)?;
        commit.with_context(|| format!("{} has no commit {sha}", self.repository))
    }
}

fn head(remotes: &Remotes<'_>, repository: &str, branch: &str) -> anyhow::Result<Option<String>> {
    let path = format!("/repos/{repository}/git/ref/heads/{branch}");
    let found: Option<Ref> = remotes.read(Service::Github, &path)?;
    Ok(found.map(|it| it.object.sha))
}

/// Returns the field `sha` of an answer.
fn sha(answer: &noetl_oci::registry::Answer) -> anyhow::Result<String> {
    let object: Object = serde_json::from_slice(&answer.body)
        .context("GitHub answers without the name of an object")?;
    Ok(object.sha)
}

impl Item for Files {
    fn name(&self) -> String {
        let count = self.files.len();
        format!("{count} files on {} of {}", self.branch, self.repository)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        let mut changes = Vec::new();
        for content in self.contents()?.values() {
            changes.push(self.blob(content).change()?);
        }
        let rest = [self.tree()?, self.commit(), self.reference()];
        for request in rest {
            changes.push(request.change()?);
        }
        Ok(changes)
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let Some(found) = self.found(remotes)? else {
            return Ok(State::Absent);
        };
        let mut differing = 0;
        for (path, content) in &self.files {
            differing += usize::from(found.get(path) != Some(&object_name(content)?));
        }
        Ok(match (differing, &self.from) {
            (0, _) => State::Done,
            (_, None) => State::Before(format!("{differing} files differ")),
            (_, Some(_)) => State::Other(format!("a branch {} with other files", self.branch)),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        let (repository, branch) = match &self.from {
            None => (&self.repository, &self.branch),
            Some((repository, branch)) => (repository, branch),
        };
        let start = head(remotes, repository, branch)?;
        let start = start.with_context(|| format!("{repository} has no branch {branch}"))?;
        let base = self.read_commit(remotes, &start)?.tree.sha;
        for content in self.contents()?.values() {
            remotes.send(&self.blob(content), &[])?;
        }
        let tree = sha(&remotes.send(&self.tree()?, &[("base", &base)])?)?;
        let values = &[("tree", tree.as_str()), ("head", &start)];
        let commit = sha(&remotes.send(&self.commit(), values)?)?;
        remotes
            .send(&self.reference(), &[("commit", &commit)])
            .map(drop)
    }

    /// Commits the files as they were before, or deletes the branch that was made.
    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        let Some(head) = self.head(remotes)? else {
            return Ok(Undone::Nothing);
        };
        let path = format!("/repos/{}/git/refs/heads/{}", self.repository, self.branch);
        if self.from.is_some() {
            let request = Request::empty(Service::Github, Method::DELETE, path);
            remotes.send_unplanned(&request, &[])?;
            return Ok(Undone::Removed);
        }
        let commit = self.read_commit(remotes, &head)?;
        let Some(parent) = commit
            .parents
            .first()
            .filter(|_| commit.message == self.message)
        else {
            return Ok(Undone::Nothing);
        };
        let before = self.read_commit(remotes, &parent.sha)?.tree.sha;
        let message = format!("Revert \"{}\"", self.message);
        let body = json!({ "message": message, "tree": before, "parents": [head] });
        let reverted = sha(&remotes.send_unplanned(&self.post("commits", body), &[])?)?;
        remotes.send_unplanned(&self.reference(), &[("commit", &reverted)])?;
        Ok(Undone::Removed)
    }
}

/// A pull request to a repository of others.
#[derive(Debug, Clone)]
pub(crate) struct PullRequest {
    /// The repository that takes it.
    pub repository: String,
    /// The branch that it is for.
    pub base: String,
    /// Owner and branch that it is from, such as `noetl:noetl-1.2.3`.
    pub head: String,
    pub title: String,
    pub body: String,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    state: String,
}

impl PullRequest {
    fn request(&self) -> Request {
        let Self {
            base,
            head,
            title,
            body,
            ..
        } = self;
        let body = json!({ "title": title, "head": head, "base": base, "body": body });
        let path = format!("/repos/{}/pulls", self.repository);
        Request::json(Service::Github, Method::POST, path, body)
    }

    fn find(&self, remotes: &Remotes<'_>) -> anyhow::Result<Option<Pull>> {
        let head = &self.head;
        let path = format!("/repos/{}/pulls?state=all&head={head}", self.repository);
        let pulls: Option<Vec<Pull>> = remotes.read(Service::Github, &path)?;
        Ok(pulls.unwrap_or_default().into_iter().next())
    }
}

impl Item for PullRequest {
    fn name(&self) -> String {
        format!("pull request to {}", self.repository)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let found = self.find(remotes)?;
        Ok(found.map_or(State::Absent, |_| State::Done))
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.send(&self.request(), &[]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        let Some(found) = self.find(remotes)?.filter(|it| it.state == "open") else {
            return Ok(Undone::Nothing);
        };
        let path = format!("/repos/{}/pulls/{}", self.repository, found.number);
        let body = json!({ "state": "closed" });
        let request = Request::json(Service::Github, Method::PATCH, path, body);
        remotes.send_unplanned(&request, &[])?;
        Ok(Undone::Removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_the_names_that_git_gives_them() {
        let name = object_name(&Blob::from(b"hello\n".to_vec())).unwrap();
        assert_eq!(name, "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
