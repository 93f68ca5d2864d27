//! The commit and the tag of a release in the git remote.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::host::ctx::Ctx;
use crate::host::git;
use crate::publish::remotes::Remotes;
use crate::publish::request::Change;
use crate::publish::step::{Item, State, Undone};

/// Returns what a reference of the remote points to; a tag is resolved to its commit.
///
/// # Errors
/// When the remote does not answer.
pub(crate) fn remote_commit(
    ctx: &Ctx,
    remote: &str,
    reference: &str,
) -> anyhow::Result<Option<String>> {
    let peeled = format!("{reference}^{{}}");
    let listed = git::read(ctx, &["ls-remote", "--", remote, reference, &peeled]);
    let listed = listed
        .with_context(|| format!("git cannot read from {remote}"))
        .help("check `git remote -v`, and that you may read there: git ls-remote origin")?;
    let find = |wanted: &str| {
        let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
        lines.find_map(|(commit, name)| (name == wanted).then(|| commit.to_owned()))
    };
    Ok(find(&peeled).or_else(|| find(reference)))
}

/// Returns the names of all tags of the remote.
///
/// # Errors
/// When the remote does not answer.
pub(crate) fn remote_tags(remotes: &Remotes<'_>) -> anyhow::Result<BTreeSet<String>> {
    let remote = remotes.endpoints().git.as_str();
    let listed = git::read(
        remotes.ctx,
        &["ls-remote", "--refs", "--tags", "--", remote],
    )?;
    let names = listed
        .lines()
        .filter_map(|line| line.split_once("\trefs/tags/"));
    Ok(names.map(|(_, name)| name.to_owned()).collect())
}

/// Deletes a tag of the remote.
///
/// # Errors
/// When the remote refuses.
pub(crate) fn delete_tag(remotes: &Remotes<'_>, tag: &str) -> anyhow::Result<()> {
    push(remotes, &["--delete", &format!("refs/tags/{tag}")])
}

/// The branch that releases are made from.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub name: String,
    pub commit: String,
}

impl Branch {
    fn reference(&self) -> String {
        format!("refs/heads/{}", self.name)
    }

    fn change(&self) -> Change {
        Change::new(format!("git push {}", self.reference()), &self.commit)
    }
}

impl Item for Branch {
    fn name(&self) -> String {
        format!("branch {}", self.name)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.change()])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let (ctx, remote) = (remotes.ctx, remotes.endpoints().git.as_str());
        let Some(found) = remote_commit(ctx, remote, &self.reference())? else {
            return Ok(State::Absent);
        };
        if found == self.commit {
            return Ok(State::Done);
        }
        // What others have pushed meanwhile may contain the commit.
        git::read(
            ctx,
            &[
                "fetch",
                "--quiet",
                "--no-tags",
                "--",
                remote,
                &self.reference(),
            ],
        )?;
        let ancestor = |one: &str, other: &str| {
            let base = git::read(ctx, &["merge-base", one, other]);
            base.is_ok_and(|base| base.trim() == one)
        };
        Ok(if ancestor(&self.commit, &found) {
            State::Done
        } else if ancestor(&found, &self.commit) {
            State::Before(format!("at {}", short(&found)))
        } else {
            State::Other(format!(
                "{} with commits that this checkout lacks: git pull",
                short(&found)
            ))
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.permit(&self.change())?;
        let refspec = format!("{}:{}", self.commit, self.reference());
        push(remotes, &[&refspec])
    }

    fn undo(&self, _: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(Undone::Stays(format!(
            "the commit stays on {}; `git revert` takes its changes back",
            self.name
        )))
    }
}

/// The tag of a release.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub name: String,
    pub commit: String,
}

impl Tag {
    fn reference(&self) -> String {
        format!("refs/tags/{}", self.name)
    }

    fn change(&self) -> Change {
        Change::new(format!("git push {}", self.reference()), &self.commit)
    }

    /// Makes the tag in this checkout, signed where git is set up so.
    fn make(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let peeled = format!("{}^{{commit}}", self.reference());
        if let Ok(found) = git::read(ctx, &["rev-parse", "--verify", "--quiet", &peeled]) {
            let is_same = found.trim() == self.commit;
            let what = || {
                anyhow!(
                    "the tag {} is on {} in this checkout",
                    self.name,
                    found.trim()
                )
            };
            return if is_same { Ok(()) } else { Err(what()) };
        }
        let key = git::read(ctx, &["config", "--get", "user.signingkey"]);
        let how = if key.is_ok() { "--sign" } else { "--annotate" };
        let message = format!("NoETL {}", self.name.trim_start_matches('v'));
        let made = git::read(
            ctx,
            &["tag", how, "--message", &message, &self.name, &self.commit],
        );
        made.map(drop)
            .help("git has to know who makes the tag: git config user.name and user.email; see its message above for keys")
    }
}

impl Item for Tag {
    fn name(&self) -> String {
        format!("tag {}", self.name)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.change()])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let found = remote_commit(remotes.ctx, &remotes.endpoints().git, &self.reference())?;
        Ok(match found {
            None => State::Absent,
            Some(found) if found == self.commit => State::Done,
            Some(found) => State::Other(format!("the tag is on {}", short(&found))),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        self.make(remotes.ctx)?;
        remotes.permit(&self.change())?;
        push(remotes, &[&self.reference()])
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        let state = self.observe(remotes)?;
        let local = git::read(remotes.ctx, &["tag", "--delete", &self.name]);
        Ok(match state {
            State::Done => {
                push(remotes, &["--delete", &self.reference()])?;
                Undone::Removed
            }
            State::Other(what) => Undone::Stays(what),
            _ if local.is_ok() => Undone::Removed,
            _ => Undone::Nothing,
        })
    }
}

fn push(remotes: &Remotes<'_>, what: &[&str]) -> anyhow::Result<()> {
    let remote = remotes.endpoints().git.as_str();
    let mut words = vec!["push", "--quiet"];
    // `--delete` is an option, and comes before the remote.
    let options = what.iter().take_while(|word| word.starts_with("--"));
    let count = options.clone().count();
    words.extend(options);
    words.push(remote);
    words.extend(&what[count..]);
    git::read(remotes.ctx, &words)
        .map(drop)
        .with_context(|| format!("git cannot push to {remote}"))
        .help("check that you may push there: git push --dry-run")
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
