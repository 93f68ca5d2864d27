//! GitHub's REST API as far as a release uses it: releases and their files, git objects and references, pull requests.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use noetl_oci::Sha256;
use serde_json::{Value, json};

use super::server::{Received, Reply};
use super::world::State as World;
use crate::publish::plan::{BRANCH, channel_repositories};

/// What GitHub holds.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The address of the stand-in.
    pub(super) url: String,
    releases: Vec<Release>,
    next: u64,
    objects: Objects,
    /// Repository and branch, with the commit.
    branches: BTreeMap<(String, String), String>,
    pulls: Vec<Value>,
}

#[derive(Debug, Clone, Default)]
struct Release {
    id: u64,
    fields: Value,
    is_latest: bool,
    assets: Vec<Asset>,
}

#[derive(Debug, Clone)]
struct Asset {
    id: u64,
    name: String,
    content: Vec<u8>,
}

/// The git objects of all repositories; forks share them.
#[derive(Debug, Default)]
struct Objects {
    blobs: BTreeSet<String>,
    trees: BTreeMap<String, BTreeMap<String, String>>,
    commits: BTreeMap<String, Value>,
}

impl Objects {
    fn add_tree(&mut self, tree: BTreeMap<String, String>) -> String {
        let name = name(&json!(tree));
        self.trees.insert(name.clone(), tree);
        name
    }

    fn add_commit(&mut self, commit: Value) -> String {
        let name = name(&commit);
        self.commits.insert(name.clone(), commit);
        name
    }

    fn is_ancestor(&self, one: &str, of: &str) -> bool {
        let mut open = vec![of.to_owned()];
        while let Some(name) = open.pop() {
            if name == one {
                return true;
            }
            let parents = self
                .commits
                .get(&name)
                .and_then(|it| it["parents"].as_array());
            let parents = parents.into_iter().flatten();
            open.extend(parents.filter_map(|it| Some(it.as_str()?.to_owned())));
        }
        false
    }
}

/// Returns a name of 40 hex digits for an object.
fn name(object: &Value) -> String {
    Sha256::of(object.to_string().as_bytes()).to_string()[..40].to_owned()
}

impl State {
    /// Makes the repositories of the package managers, each with one commit.
    pub(super) fn prepare(&mut self) {
        let tree = self.objects.add_tree(BTreeMap::new());
        let first = json!({ "message": "First", "tree": tree, "parents": [] });
        let first = self.objects.add_commit(first);
        let own = channel_repositories().map(|repository| (repository, BRANCH));
        for (repository, branch) in own.chain([("microsoft/winget-pkgs", "master")]) {
            let key = (repository.to_owned(), branch.to_owned());
            self.branches.insert(key, first.clone());
        }
    }

    /// Returns what is published, without numbers that depend on the order of requests.
    pub(super) fn published(&self) -> Value {
        let releases = self.releases.iter().map(|release| {
            let mut fields = release.fields.clone();
            if let Some(fields) = fields.as_object_mut() {
                fields.remove("make_latest");
            }
            let mut assets: Vec<_> = release.assets.iter().collect();
            assets.sort_by(|one, other| one.name.cmp(&other.name));
            let assets = assets
                .iter()
                .map(|it| (&it.name, Sha256::of(&it.content).to_string()));
            let assets: Vec<_> = assets.collect();
            json!({ "fields": fields, "latest": release.is_latest, "assets": assets })
        });
        let branches = self.branches.iter().map(|((repository, branch), commit)| {
            let tree = self.objects.commits[commit]["tree"]
                .as_str()
                .unwrap_or_default();
            json!([repository, branch, self.objects.trees.get(tree)])
        });
        let pulls = self
            .pulls
            .iter()
            .map(|it| json!([it["title"], it["head"], it["state"]]));
        json!({
            "releases": releases.collect::<Vec<_>>(), "branches": branches.collect::<Vec<_>>(),
            "pulls": pulls.collect::<Vec<_>>(),
        })
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn release(&mut self, id: &str) -> Option<&mut Release> {
        let id: u64 = id.parse().ok()?;
        self.releases.iter_mut().find(|it| it.id == id)
    }
}

impl Release {
    fn is_draft(&self) -> bool {
        self.fields["draft"] == true
    }

    fn show(&self, url: &str) -> Value {
        let mut shown = self.fields.clone();
        shown["id"] = json!(self.id);
        shown["html_url"] = json!(format!("{url}/releases/{}", self.id));
        shown
    }
}

impl Asset {
    fn show(&self) -> Value {
        let digest = Sha256::of(&self.content).digest();
        json!({ "id": self.id, "name": self.name, "state": "uploaded", "digest": digest, "size": self.content.len() })
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message }))
}

/// Answers a request.
pub(super) fn handle(world: &mut World, _: &Utf8Path, request: &Received) -> Reply {
    let token = request
        .headers
        .get("authorization")
        .cloned()
        .unwrap_or_default();
    if token.contains("expired") || (request.is_change() && !token.starts_with("Bearer ")) {
        return refuse(401, "Bad credentials");
    }
    let state = &mut world.github;
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["repos", owner, repository, rest @ ..] = parts.as_slice() else {
        return refuse(404, "Not Found");
    };
    let repository = format!("{owner}/{repository}");
    match rest {
        [] => repository_facts(&repository, &token),
        ["releases", rest @ ..] => releases(state, request, rest),
        ["git", rest @ ..] => objects(state, request, &repository, rest),
        ["pulls", rest @ ..] => pulls(state, request, rest),
        _ => refuse(404, "Not Found"),
    }
}

fn repository_facts(repository: &str, token: &str) -> Reply {
    let can_push = !token.contains("readonly") && !token.is_empty();
    let permissions = json!({ "push": can_push, "pull": true });
    Reply::json(
        200,
        &json!({ "full_name": repository, "permissions": permissions }),
    )
}

fn page<T>(request: &Received, all: impl Iterator<Item = T>) -> Vec<T> {
    let number = |name: &str, default: usize| {
        request
            .parameter(name)
            .and_then(|it| it.parse().ok())
            .unwrap_or(default)
    };
    let (size, page) = (number("per_page", 30), number("page", 1));
    all.skip(size * page.saturating_sub(1)).take(size).collect()
}

fn releases(state: &mut State, request: &Received, rest: &[&str]) -> Reply {
    let url = state.url.clone();
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let shown = state.releases.iter().map(|it| it.show(&url));
            Reply::json(200, &json!(page(request, shown)))
        }
        ("GET", ["latest"]) => match state.releases.iter().find(|it| it.is_latest) {
            Some(release) => Reply::json(200, &release.show(&url)),
            None => refuse(404, "Not Found"),
        },
        ("POST", []) => {
            let fields = request.json();
            let is_taken =
                |it: &Release| !it.is_draft() && it.fields["tag_name"] == fields["tag_name"];
            if state.releases.iter().any(is_taken) {
                return refuse(422, "already_exists");
            }
            let release = Release {
                id: state.number(),
                fields,
                ..Release::default()
            };
            state.releases.push(release.clone());
            Reply::json(201, &release.show(&url))
        }
        ("GET", ["assets", id]) => {
            let mut assets = state.releases.iter().flat_map(|it| &it.assets);
            let found = assets.find(|it| it.id.to_string() == *id);
            found.map_or_else(
                || refuse(404, "Not Found"),
                |it| Reply::status(200).body(it.content.clone()),
            )
        }
        (_, [id]) => change_release(state, request, id),
        ("GET", [id, "assets"]) => match state.release(id) {
            Some(release) => {
                let shown = release.assets.iter().map(Asset::show);
                Reply::json(200, &json!(page(request, shown)))
            }
            None => refuse(404, "Not Found"),
        },
        ("POST", [id, "assets"]) => upload(state, request, id),
        _ => refuse(404, "Not Found"),
    }
}

fn upload(state: &mut State, request: &Received, id: &str) -> Reply {
    let number = state.number();
    let Some((release, name)) = state.release(id).zip(request.parameter("name")) else {
        return refuse(404, "Not Found");
    };
    if !release.is_draft() {
        return refuse(422, "the release is immutable");
    }
    if release.assets.iter().any(|it| it.name == name) {
        return refuse(422, "already_exists");
    }
    let asset = Asset {
        id: number,
        name,
        content: request.body.clone(),
    };
    let shown = asset.show();
    release.assets.push(asset);
    Reply::json(201, &shown)
}

fn change_release(state: &mut State, request: &Received, id: &str) -> Reply {
    let url = state.url.clone();
    let Some(release) = state.release(id) else {
        return refuse(404, "Not Found");
    };
    if request.method == "DELETE" {
        let id = release.id;
        state.releases.retain(|it| it.id != id);
        return Reply::status(204);
    }
    let fields = request.json();
    for name in ["draft", "body", "prerelease", "name"] {
        if let Some(value) = fields.get(name) {
            release.fields[name] = value.clone();
        }
    }
    let shown = release.show(&url);
    if fields["make_latest"] == "true" {
        let id = release.id;
        for release in &mut state.releases {
            release.is_latest = release.id == id;
        }
    }
    Reply::json(200, &shown)
}

fn objects(state: &mut State, request: &Received, repository: &str, rest: &[&str]) -> Reply {
    let body = request.json();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    match (request.method.as_str(), rest) {
        ("GET", rest) => read_object(state, repository, rest),
        ("POST", ["blobs"]) => {
            use base64::Engine as _;
            let content = base64::engine::general_purpose::STANDARD.decode(text("content"));
            let content = content.map(noetl_oci::Blob::from);
            let named = content
                .ok()
                .and_then(|it| crate::publish::items::channels::object_name(&it).ok());
            let Some(name) = named else {
                return refuse(422, "the content is not base64");
            };
            state.objects.blobs.insert(name.clone());
            Reply::json(201, &json!({ "sha": name }))
        }
        ("POST", ["trees"]) => add_tree(state, &body),
        ("POST", ["commits"]) => {
            if !state.objects.trees.contains_key(&text("tree")) {
                return refuse(422, "the tree does not exist");
            }
            let name = state.objects.add_commit(body);
            Reply::json(201, &json!({ "sha": name }))
        }
        ("POST", ["refs"]) => {
            let branch = text("ref").trim_start_matches("refs/heads/").to_owned();
            let key = (repository.to_owned(), branch);
            if state.branches.contains_key(&key) {
                return refuse(422, "Reference already exists");
            }
            move_branch(state, key, &text("sha"))
        }
        ("PATCH", ["refs", "heads", branch @ ..]) => {
            let key = (repository.to_owned(), branch.join("/"));
            let now = state.branches.get(&key).cloned().unwrap_or_default();
            if !state.objects.is_ancestor(&now, &text("sha")) {
                return refuse(422, "Update is not a fast forward");
            }
            move_branch(state, key, &text("sha"))
        }
        ("DELETE", ["refs", "heads", branch @ ..]) => {
            let key = (repository.to_owned(), branch.join("/"));
            let removed = state.branches.remove(&key);
            removed.map_or_else(
                || refuse(422, "Reference does not exist"),
                |_| Reply::status(204),
            )
        }
        _ => refuse(404, "Not Found"),
    }
}

fn read_object(state: &State, repository: &str, rest: &[&str]) -> Reply {
    match rest {
        ["ref", "heads", branch @ ..] => {
            let key = (repository.to_owned(), branch.join("/"));
            state.branches.get(&key).map_or_else(
                || refuse(404, "Not Found"),
                |commit| Reply::json(200, &json!({ "object": { "sha": commit } })),
            )
        }
        ["commits", name] => match state.objects.commits.get(*name) {
            Some(commit) => {
                let parents = commit["parents"].as_array().into_iter().flatten();
                let parents: Vec<_> = parents.map(|it| json!({ "sha": it })).collect();
                let tree = json!({ "sha": commit["tree"] });
                Reply::json(
                    200,
                    &json!({ "message": commit["message"], "tree": tree, "parents": parents }),
                )
            }
            None => refuse(404, "Not Found"),
        },
        ["trees", name] => {
            let commit = state.objects.commits.get(*name);
            let tree = commit.and_then(|it| state.objects.trees.get(it["tree"].as_str()?));
            let entries = tree.into_iter().flatten();
            let entries: Vec<_> = entries
                .map(|(path, sha)| json!({ "path": path, "sha": sha }))
                .collect();
            Reply::json(200, &json!({ "tree": entries }))
        }
        _ => refuse(404, "Not Found"),
    }
}

fn add_tree(state: &mut State, body: &Value) -> Reply {
    let base = body["base_tree"].as_str().unwrap_or_default();
    let Some(mut tree) = state.objects.trees.get(base).cloned() else {
        return refuse(422, "the base tree does not exist");
    };
    for entry in body["tree"].as_array().into_iter().flatten() {
        let (path, sha) = (entry["path"].as_str(), entry["sha"].as_str());
        let (Some(path), Some(sha)) = (path, sha) else {
            return refuse(422, "an entry without a path");
        };
        if !state.objects.blobs.contains(sha) {
            return refuse(422, "a blob does not exist");
        }
        tree.insert(path.to_owned(), sha.to_owned());
    }
    let name = state.objects.add_tree(tree);
    Reply::json(201, &json!({ "sha": name }))
}

fn move_branch(state: &mut State, key: (String, String), commit: &str) -> Reply {
    if !state.objects.commits.contains_key(commit) {
        return refuse(422, "Object does not exist");
    }
    state.branches.insert(key, commit.to_owned());
    Reply::json(200, &json!({ "object": { "sha": commit } }))
}

fn pulls(state: &mut State, request: &Received, rest: &[&str]) -> Reply {
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let head = request.parameter("head").unwrap_or_default();
            let found: Vec<_> = state
                .pulls
                .iter()
                .filter(|it| it["head"] == *head)
                .collect();
            Reply::json(200, &json!(found))
        }
        ("POST", []) => {
            let mut pull = request.json();
            if state.pulls.iter().any(|it| it["head"] == pull["head"]) {
                return refuse(422, "A pull request already exists");
            }
            pull["number"] = json!(state.number());
            pull["state"] = json!("open");
            state.pulls.push(pull.clone());
            Reply::json(201, &pull)
        }
        ("PATCH", [number]) => {
            let mut pulls = state.pulls.iter_mut();
            let Some(pull) = pulls.find(|it| it["number"].as_u64() == number.parse().ok()) else {
                return refuse(404, "Not Found");
            };
            pull["state"] = request.json()["state"].clone();
            Reply::json(200, pull)
        }
        _ => refuse(404, "Not Found"),
    }
}
