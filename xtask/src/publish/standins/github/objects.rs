//! Git objects and references of GitHub's repositories.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_oci::{Blob, Sha256};
use serde_json::{Value, json};

use crate::publish::items::channels::object_name;
use crate::publish::standins::server::{Received, Reply};

/// The git objects of all repositories, which forks share, and the branches.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) blobs: BTreeSet<String>,
    pub(super) trees: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) commits: BTreeMap<String, Value>,
    /// Repository and branch, with the commit.
    pub(super) branches: BTreeMap<(String, String), String>,
}

impl Objects {
    pub(super) fn add_tree(&mut self, tree: BTreeMap<String, String>) -> String {
        let name = name(&json!(tree));
        self.trees.insert(name.clone(), tree);
        name
    }

    pub(super) fn add_commit(&mut self, commit: Value) -> String {
        let name = name(&commit);
        self.commits.insert(name.clone(), commit);
        name
    }

    pub(super) fn is_ancestor(&self, one: &str, of: &str) -> bool {
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

/// Answers a request below `git`.
pub(super) fn handle(
    objects: &mut Objects,
    request: &Received,
    repository: &str,
    rest: &[&str],
) -> Reply {
    let body = request.json();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    match (request.method.as_str(), rest) {
        ("GET", rest) => read_object(objects, repository, rest),
        ("POST", ["blobs"]) => {
            let content = STANDARD.decode(text("content"));
            let content = content.map(Blob::from);
            let named = content.ok().and_then(|it| object_name(&it).ok());
            let Some(name) = named else {
                return Reply::refusal(422, "the content is not base64");
            };
            objects.blobs.insert(name.clone());
            Reply::json(201, &json!({ "sha": name }))
        }
        ("POST", ["trees"]) => add_tree(objects, &body),
        ("POST", ["commits"]) => {
            if !objects.trees.contains_key(&text("tree")) {
                return Reply::refusal(422, "the tree does not exist");
            }
            let name = objects.add_commit(body);
            Reply::json(201, &json!({ "sha": name }))
        }
        ("POST", ["refs"]) => {
            let branch = text("ref").trim_start_matches("refs/heads/").to_owned();
            let key = (repository.to_owned(), branch);
            if objects.branches.contains_key(&key) {
                return Reply::refusal(422, "Reference already exists");
            }
            move_branch(objects, key, &text("sha"))
        }
        ("PATCH", ["refs", "heads", branch @ ..]) => {
            let key = (repository.to_owned(), branch.join("/"));
            let now = objects.branches.get(&key).cloned().unwrap_or_default();
            if !objects.is_ancestor(&now, &text("sha")) {
                return Reply::refusal(422, "Update is not a fast forward");
            }
            move_branch(objects, key, &text("sha"))
        }
        ("DELETE", ["refs", "heads", branch @ ..]) => {
            let key = (repository.to_owned(), branch.join("/"));
            let removed = objects.branches.remove(&key);
            removed.map_or_else(
                || Reply::refusal(422, "Reference does not exist"),
                |_| Reply::status(204),
            )
        }
        _ => Reply::refusal(404, "Not Found"),
    }
}

fn read_object(objects: &Objects, repository: &str, rest: &[&str]) -> Reply {
    match rest {
        ["ref", "heads", branch @ ..] => {
            let key = (repository.to_owned(), branch.join("/"));
            objects.branches.get(&key).map_or_else(
                || Reply::refusal(404, "Not Found"),
                |commit| Reply::json(200, &json!({ "object": { "sha": commit } })),
            )
        }
        ["commits", name] => match objects.commits.get(*name) {
            Some(commit) => {
                let parents = commit["parents"].as_array().into_iter().flatten();
                let parents: Vec<_> = parents.map(|it| json!({ "sha": it })).collect();
                let tree = json!({ "sha": commit["tree"] });
                Reply::json(
                    200,
                    &json!({ "message": commit["message"], "tree": tree, "parents": parents }),
                )
            }
            None => Reply::refusal(404, "Not Found"),
        },
        ["trees", name] => {
            let commit = objects.commits.get(*name);
            let tree = commit.and_then(|it| objects.trees.get(it["tree"].as_str()?));
            let entries = tree.into_iter().flatten();
            let entries: Vec<_> = entries
                .map(|(path, sha)| json!({ "path": path, "sha": sha }))
                .collect();
            Reply::json(200, &json!({ "tree": entries }))
        }
        _ => Reply::refusal(404, "Not Found"),
    }
}

fn add_tree(objects: &mut Objects, body: &Value) -> Reply {
    let base = body["base_tree"].as_str().unwrap_or_default();
    let Some(mut tree) = objects.trees.get(base).cloned() else {
        return Reply::refusal(422, "the base tree does not exist");
    };
    for entry in body["tree"].as_array().into_iter().flatten() {
        let (path, sha) = (entry["path"].as_str(), entry["sha"].as_str());
        let (Some(path), Some(sha)) = (path, sha) else {
            return Reply::refusal(422, "an entry without a path");
        };
        if !objects.blobs.contains(sha) {
            return Reply::refusal(422, "a blob does not exist");
        }
        tree.insert(path.to_owned(), sha.to_owned());
    }
    let name = objects.add_tree(tree);
    Reply::json(201, &json!({ "sha": name }))
}

fn move_branch(objects: &mut Objects, key: (String, String), commit: &str) -> Reply {
    if !objects.commits.contains_key(commit) {
        return Reply::refusal(422, "Object does not exist");
    }
    objects.branches.insert(key, commit.to_owned());
    Reply::json(200, &json!({ "object": { "sha": commit } }))
}
