//! `cargo xtask release yank VERSION`: marks a bad release wherever that is possible.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use camino::Utf8PathBuf;
use cargo_metadata::semver::Version;
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::registry::Method;
use serde_json::{Value, json};

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::publish::channels::channel_repositories;
use crate::publish::endpoints::{Endpoints, Service};
use crate::publish::inputs::BRANCH;
use crate::publish::items::channels::Files;
use crate::publish::items::{crates, github, npm};
use crate::publish::remotes::Remotes;
use crate::publish::request::Request;
use crate::publish::step::{Item as _, Undone};
use crate::release::crates::published;
use crate::release::packages::npm as package;
use crate::release::target::TARGETS;
use crate::release::workspace::REPOSITORY;
use crate::tasks::release::repository;

/// Mark a bad release everywhere it can be marked
#[derive(Debug, Args)]
#[command(
    after_help = "Yanks the crates, deprecates the packages of npm, marks the release at GitHub and takes back the last commit of the \
    repositories of\npackage managers. Says what only a person can do. Nothing is changed without --execute.\n\n\
    Example:\n  cargo xtask release yank 0.1.0 --reason 'loses data on a full disk' --execute"
)]
pub(super) struct YankArgs {
    /// The version
    version: Version,
    /// What is wrong with it, for those who use it
    #[arg(long)]
    reason: String,
    /// Do it
    #[arg(long)]
    execute: bool,
    /// Where the services are, as JSON
    #[arg(long, value_name = "FILE")]
    remotes: Option<Utf8PathBuf>,
}

pub(super) fn run(ctx: &Ctx, args: &YankArgs) -> anyhow::Result<()> {
    let endpoints = Endpoints::read(ctx, args.remotes.as_deref())?;
    let remotes = Remotes::new(ctx, endpoints, repository());
    let names = published(ctx)?;
    let mut failed = 0;
    let mut mark = |what: &str, work: &dyn Fn() -> anyhow::Result<bool>| -> anyhow::Result<()> {
        if !args.execute {
            return output::line(format!("would mark: {what}"));
        }
        match work() {
            Ok(true) => output::line(format!("marked: {what}")),
            Ok(false) => output::line(format!("not there: {what}")),
            Err(error) => {
                failed += 1;
                output::warn(&format!("{what}: {error:#}"));
                Ok(())
            }
        }
    };
    for name in &names {
        mark(&format!("crate {name} {}", args.version), &|| {
            yank(&remotes, name, args)
        })?;
    }
    let targets = package::targets(&TARGETS.iter().collect::<Vec<_>>());
    let packages = targets.iter().map(|it| package::package(it));
    for name in packages.chain([package::NAME.to_owned()]) {
        mark(&format!("package {name} {}", args.version), &|| {
            deprecate(&remotes, &name, args)
        })?;
    }
    mark(&format!("release v{} at GitHub", args.version), &|| {
        release(&remotes, args)
    })?;
    for repository in channel_repositories() {
        mark(&format!("the last commit of {repository}"), &|| {
            revert(&remotes, repository, args)
        })?;
    }
    let version = &args.version;
    output::line(format!(
        "by hand: yank {version} on the page of noetlctl at Python's index, which has no API for it"
    ))?;
    output::line(format!(
        "by hand: the image {version} stays, since people may run it; latest moves with the next release"
    ))?;
    if failed > 0 {
        return Err(anyhow!("{failed} marks of {version} failed"))
            .help("run it again: what is marked stays marked");
    }
    Ok(())
}

fn yank(remotes: &Remotes<'_>, name: &str, args: &YankArgs) -> anyhow::Result<bool> {
    let version = args.version.to_string();
    if crates::find(remotes, name, &version)?.is_none() {
        return Ok(false);
    }
    let path = format!("/api/v1/crates/{name}/{version}/yank");
    remotes.send_unplanned(&Request::empty(Service::Crates, Method::DELETE, path), &[])?;
    Ok(true)
}

/// Writes the reason into the document of the package, as `npm deprecate` does.
fn deprecate(remotes: &Remotes<'_>, name: &str, args: &YankArgs) -> anyhow::Result<bool> {
    let path = npm::path(name);
    let document: Option<Value> = remotes.read(Service::Npm, &path)?;
    let version = args.version.to_string();
    let Some(mut document) = document.filter(|it| it["versions"].get(&version).is_some()) else {
        return Ok(false);
    };
    document["versions"][&version]["deprecated"] = json!(args.reason);
    remotes.send_unplanned(
        &Request::json(Service::Npm, Method::PUT, path, document),
        &[],
    )?;
    Ok(true)
}

/// Makes it a pre-release, so that it is not the latest, with the reason above its text.
fn release(remotes: &Remotes<'_>, args: &YankArgs) -> anyhow::Result<bool> {
    let release = github::Release {
        repository: repository().to_owned(),
        tag: format!("v{}", args.version),
    };
    let Some(found) = release.find(remotes)? else {
        return Ok(false);
    };
    let warning = format!("> **Do not use this version.** {}\n\n", args.reason);
    let text = found.text();
    let text = if text.starts_with(&warning) {
        text.to_owned()
    } else {
        warning + text
    };
    let path = format!("/repos/{}/releases/{}", repository(), found.id);
    let body = json!({ "body": text, "prerelease": true, "make_latest": "false" });
    remotes.send_unplanned(
        &Request::json(Service::Github, Method::PATCH, path, body),
        &[],
    )?;
    Ok(true)
}

/// Takes back the last commit, if it is that of the version.
fn revert(remotes: &Remotes<'_>, repository: &str, args: &YankArgs) -> anyhow::Result<bool> {
    let files = Files {
        repository: repository.to_owned(),
        branch: BRANCH.to_owned(),
        from: None,
        message: format!("noetl {}", args.version),
        time: String::new(),
        files: BTreeMap::new(),
    };
    let undone = files
        .undo(remotes)
        .with_context(|| format!("{REPOSITORY} is marked in part"))?;
    Ok(undone == Undone::Removed)
}
