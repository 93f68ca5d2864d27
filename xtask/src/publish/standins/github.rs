//! GitHub's REST API as far as a release uses it: releases and their files, git objects and references, pull requests.

mod objects;

use std::collections::BTreeMap;

use noetl_oci::Sha256;
use serde_json::{Value, json};

use super::server::{Received, Reply};
use crate::publish::channels::channel_repositories;
use crate::publish::inputs::BRANCH;
use objects::Objects;

/// What GitHub holds.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The address of the stand-in.
    pub(super) url: String,
    releases: Vec<Release>,
    next: u64,
    objects: Objects,
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

impl State {
    /// Makes the repositories of the package managers, each with one commit.
    pub(super) fn prepare(&mut self) {
        let tree = self.objects.add_tree(BTreeMap::new());
        let first = json!({ "message": "First", "tree": tree, "parents": [] });
        let first = self.objects.add_commit(first);
        let own = channel_repositories().map(|repository| (repository, BRANCH));
        for (repository, branch) in own.chain([("microsoft/winget-pkgs", "master")]) {
            let key = (repository.to_owned(), branch.to_owned());
            self.objects.branches.insert(key, first.clone());
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
        let branches = self
            .objects
            .branches
            .iter()
            .map(|((repository, branch), commit)| {
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

/// Answers a request.
pub(super) fn handle(state: &mut State, request: &Received) -> Reply {
    let token = request
        .headers
        .get("authorization")
        .cloned()
        .unwrap_or_default();
    if token.contains("expired") || (request.is_change() && !token.starts_with("Bearer ")) {
        return Reply::refusal(401, "Bad credentials");
    }
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["repos", owner, repository, rest @ ..] = parts.as_slice() else {
        return Reply::refusal(404, "Not Found");
    };
    let repository = format!("{owner}/{repository}");
    match rest {
        [] => repository_facts(&repository, &token),
        ["releases", rest @ ..] => releases(state, request, rest),
        ["git", rest @ ..] => objects::handle(&mut state.objects, request, &repository, rest),
        ["pulls", rest @ ..] => pulls(state, request, rest),
        _ => Reply::refusal(404, "Not Found"),
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
            None => Reply::refusal(404, "Not Found"),
        },
        ("POST", []) => {
            let fields = request.json();
            let is_taken =
                |it: &Release| !it.is_draft() && it.fields["tag_name"] == fields["tag_name"];
            if state.releases.iter().any(is_taken) {
                return Reply::refusal(422, "already_exists");
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
                || Reply::refusal(404, "Not Found"),
                |it| Reply::status(200).body(it.content.clone()),
            )
        }
        (_, [id]) => change_release(state, request, id),
        ("GET", [id, "assets"]) => match state.release(id) {
            Some(release) => {
                let shown = release.assets.iter().map(Asset::show);
                Reply::json(200, &json!(page(request, shown)))
            }
            None => Reply::refusal(404, "Not Found"),
        },
        ("POST", [id, "assets"]) => upload(state, request, id),
        _ => Reply::refusal(404, "Not Found"),
    }
}

fn upload(state: &mut State, request: &Received, id: &str) -> Reply {
    let number = state.number();
    let Some((release, name)) = state.release(id).zip(request.parameter("name")) else {
        return Reply::refusal(404, "Not Found");
    };
    if !release.is_draft() {
        return Reply::refusal(422, "the release is immutable");
    }
    if release.assets.iter().any(|it| it.name == name) {
        return Reply::refusal(422, "already_exists");
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
        return Reply::refusal(404, "Not Found");
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
                return Reply::refusal(422, "A pull request already exists");
            }
            pull["number"] = json!(state.number());
            pull["state"] = json!("open");
            state.pulls.push(pull.clone());
            Reply::json(201, &pull)
        }
        ("PATCH", [number]) => {
            let mut pulls = state.pulls.iter_mut();
            let Some(pull) = pulls.find(|it| it["number"].as_u64() == number.parse().ok()) else {
                return Reply::refusal(404, "Not Found");
            };
            pull["state"] = request.json()["state"].clone();
            Reply::json(200, pull)
        }
        _ => Reply::refusal(404, "Not Found"),
    }
}
