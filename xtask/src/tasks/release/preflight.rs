//! Everything that prevents a release, found before anything is changed, and reported at once.

use anyhow::anyhow;
use camino::Utf8Path;
use noetl_help::{Help as _, Report};
use serde::{Deserialize, Serialize};

use crate::host::ctx::{self, Ctx};
use crate::host::{files, git};
use crate::publish::channels::channel_repositories;
use crate::publish::endpoints::{Endpoints, Service};
use crate::publish::inputs::{self, BRANCH};
use crate::publish::items::git::remote_commit;
use crate::publish::remotes::Remotes;
use crate::publish::step::{State, Step};
use crate::release::dist_manifest::FILE_NAME;
use crate::release::packages::wheel;
use crate::release::version::Release;
use crate::tasks::release::MakeArgs;
use crate::tasks::release::prepare::{Preparation, tagged};

/// Something that prevents a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub what: String,
    pub help: String,
}

impl Problem {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
        }
    }

    /// Returns an error as a problem.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let report = Report::of(error);
        let help = report
            .help
            .unwrap_or_else(|| "correct the cause, and run it again".to_owned());
        Self::new(report.causes.join(": "), help)
    }

    /// Returns the problem that something else is in the place of an item.
    pub(super) fn taken(name: &str, what: &str) -> Self {
        let what = format!("something else is in the place of {name}: {what}");
        Self::new(
            what,
            "a release overwrites nothing: release another version, or remove what is there by hand",
        )
    }
}

/// Fails when there are problems, and names each.
///
/// # Errors
/// When there are problems.
pub(super) fn refuse(problems: &[Problem]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines = problems
        .iter()
        .map(|it| format!("\n  {}\n    help: {}", it.what, it.help));
    let lines: String = lines.collect();
    Err(anyhow!(
        "{} things prevent the release:{lines}",
        problems.len()
    ))
    .help("correct them; nothing was published")
}

/// Returns the problems of the checkout, of the git remote and of this machine.
///
/// # Errors
/// When git fails on this machine.
pub(super) fn of_checkout(
    ctx: &Ctx,
    args: &MakeArgs,
    preparation: &Preparation,
    endpoints: &Endpoints,
) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut add = |what: String, help: &str| problems.push(Problem::new(what, help));
    let release = Release::read(ctx)?;
    if release.is_dirty() {
        add(
            "the tree differs from its commit".to_owned(),
            "commit or stash the changes: git status",
        );
    }
    let version = &preparation.version;
    if preparation.changelog.is_empty() {
        let what = format!("the changelog says nothing about {version}");
        add(
            what,
            "write what has changed under `## Unreleased` in crates/noetlctl/CHANGELOG.md",
        );
    }
    let head = release.commit.trim_end_matches("-dirty");
    if let Err(error) = wheel::pep440(&version.to_string()) {
        problems.push(Problem::of(&error));
    }
    local_tags(ctx, preparation, head, &mut problems)?;
    remote(ctx, preparation, endpoints, head, &mut problems);
    if args.sign_key.is_some() && ctx::find_program("cosign").is_none() {
        problems.push(Problem::new(
            "cosign is missing",
            "install it: docs.sigstore.dev",
        ));
    }
    if let Some(folder) = &args.dist {
        let is_of = preparation.is_committed && is_of(folder, &release)?;
        if !is_of {
            let what = format!("{folder} is not the dist of {head} and version {version}");
            problems.push(Problem::new(
                what,
                "leave out --dist, so that it is built; or check out its commit",
            ));
        }
    }
    Ok(problems)
}

/// Compares the version with the tags of this checkout.
fn local_tags(
    ctx: &Ctx,
    preparation: &Preparation,
    head: &str,
    problems: &mut Vec<Problem>,
) -> anyhow::Result<()> {
    let (tag, version) = (preparation.tag(), &preparation.version);
    let mut add = |what: String, help: &str| problems.push(Problem::new(what, help));
    let here = git::read(ctx, &["tag", "--points-at", "HEAD", "--list", "v*"])?;
    if let Some(other) = here
        .lines()
        .find(|it| **it != tag && preparation.is_committed)
    {
        let what = format!("the commit has the tag {other}, and Cargo.toml says {version}");
        add(
            what,
            "check out the commit of the version, or correct the version in Cargo.toml",
        );
    }
    let tagged = tagged(ctx)?;
    if tagged.contains(version) && !preparation.is_committed {
        add(
            format!("{tag} was made before"),
            "release another version: cargo xtask release patch",
        );
    }
    let local = git::read(
        ctx,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("{tag}^{{commit}}"),
        ],
    );
    if let Ok(found) = local
        && found.trim() != head
        && preparation.is_committed
    {
        let what = format!("the tag {tag} of this checkout is on {}", found.trim());
        add(what, "check out that commit, or release another version");
    }
    Ok(())
}

/// Compares branch and tag with the git remote.
fn remote(
    ctx: &Ctx,
    preparation: &Preparation,
    endpoints: &Endpoints,
    head: &str,
    problems: &mut Vec<Problem>,
) {
    let (remote, tag) = (endpoints.git.as_str(), preparation.tag());
    match remote_commit(ctx, remote, &format!("refs/tags/{tag}")) {
        Err(error) => problems.push(Problem::of(&error)),
        Ok(Some(found)) if found != head || !preparation.is_committed => {
            let what = format!("{remote} has the tag {tag} on {found}");
            problems.push(Problem::new(
                what,
                "release another version: a tag that others have is not moved",
            ));
        }
        Ok(_) => {}
    }
    let Ok(Some(found)) = remote_commit(ctx, remote, &format!("refs/heads/{BRANCH}")) else {
        return;
    };
    let reference = format!("refs/heads/{BRANCH}");
    let fetched = git::read(
        ctx,
        &["fetch", "--quiet", "--no-tags", "--", remote, &reference],
    );
    let base = fetched.and_then(|_| git::read(ctx, &["merge-base", head, &found]));
    let is_ahead = base.as_ref().is_ok_and(|base| base.trim() == found);
    let is_contained = base.as_ref().is_ok_and(|base| base.trim() == head);
    // A release that has its tag goes on, also when others have pushed meanwhile.
    let tagged = git::read(ctx, &["tag", "--points-at", head, "--list", &tag]);
    let has_tag = tagged.is_ok_and(|tags| !tags.trim().is_empty());
    let is_usable = is_ahead || (is_contained && has_tag);
    if !is_usable {
        let what = format!("this checkout is behind {BRANCH} of {remote}, which is {found}");
        problems.push(Problem::new(
            what,
            "git pull --rebase, check what is new, and run it again",
        ));
    }
}

/// Whether a folder is the dist of a commit and its version.
///
/// # Errors
/// When its manifest is there and cannot be read.
pub(super) fn is_of(folder: &Utf8Path, release: &Release) -> anyhow::Result<bool> {
    /// Only what is compared, so that an older format is no error.
    #[derive(Deserialize)]
    struct Head {
        release: Release,
    }
    let path = folder.join(FILE_NAME);
    if !path.is_file() {
        return Ok(false);
    }
    let head: Result<Head, _> = serde_json::from_slice(&files::read(&path)?);
    Ok(head.is_ok_and(|it| {
        (it.release.commit, it.release.version) == (release.commit.clone(), release.version.clone())
    }))
}

/// Returns the tokens that are missing, have expired or lack a permission.
///
/// # Errors
/// Never; services that do not answer are problems.
pub(super) fn of_services(
    remotes: &Remotes<'_>,
    preparation: &Preparation,
) -> anyhow::Result<Vec<Problem>> {
    #[derive(Deserialize)]
    struct Repository {
        /// Tokens of workflows are not told.
        permissions: Option<Permissions>,
    }
    #[derive(Deserialize)]
    struct Permissions {
        #[serde(default)]
        push: bool,
    }
    let mut problems = Vec::new();
    for (service, variable) in [
        (Service::Github, "GITHUB_TOKEN"),
        (Service::Crates, "CARGO_REGISTRY_TOKEN"),
        (Service::Npm, "NPM_TOKEN"),
        (Service::Pypi, "PYPI_TOKEN"),
    ] {
        // The builds of the night are at GitHub alone.
        let is_needed = service == Service::Github || !inputs::is_nightly(&preparation.version);
        if is_needed && !remotes.has_token(service) {
            let help =
                format!("set {variable}; a workflow of GitHub Actions needs it for GitHub alone");
            problems.push(Problem::new(
                format!("there is no token for {service}"),
                help,
            ));
        }
    }
    if !remotes.has_token(Service::Github) {
        return Ok(problems);
    }
    let others = channel_repositories().filter(|_| preparation.is_newest);
    let mut repositories = vec![remotes.repository.clone()];
    repositories.extend(others.map(str::to_owned));
    for repository in repositories {
        let found = remotes.read::<Repository>(Service::Github, &format!("/repos/{repository}"));
        let help = "GITHUB_TOKEN needs `contents: write` there; NOETL_CHANNELS_TOKEN is for the repositories of package managers";
        match found {
            Ok(Some(it)) if it.permissions.as_ref().is_none_or(|it| it.push) => {}
            Ok(Some(_)) => {
                problems.push(Problem::new(
                    format!("the token may not write to {repository}"),
                    help,
                ));
            }
            Ok(None) => {
                let what = format!("GitHub shows no repository {repository} to the token");
                problems.push(Problem::new(what, help));
            }
            Err(error) => {
                problems.push(Problem::of(&error));
                break;
            }
        }
    }
    Ok(problems)
}

/// Returns the items in whose places something else is.
///
/// # Errors
/// When a remote does not answer.
pub(super) fn of_items(remotes: &Remotes<'_>, steps: &[Step]) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for item in steps.iter().flat_map(|step| &step.items) {
        if let State::Other(what) = item.observe(remotes)? {
            problems.push(Problem::taken(&item.name(), &what));
        }
    }
    Ok(problems)
}
