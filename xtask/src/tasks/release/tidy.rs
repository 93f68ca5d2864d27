//! `cargo xtask release tidy`: deletes old nightly pre-releases.

use std::collections::BTreeMap;

use anyhow::ensure;
use camino::Utf8PathBuf;
use cargo_metadata::semver::Version;
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::registry::Method;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::publish::endpoints::{Endpoints, Service};
use crate::publish::inputs::is_nightly;
use crate::publish::items::{git, github};
use crate::publish::remotes::Remotes;
use crate::publish::request::Request;
use crate::tasks::release::repository;

/// Delete old nightly pre-releases with their tags
#[derive(Debug, Args)]
#[command(
    after_help = "Only pre-releases that `--pre nightly.DATE` has made are deleted. Nothing is deleted without --execute.\n\n\
    Example:\n  cargo xtask release tidy --keep 7 --execute"
)]
pub(super) struct TidyArgs {
    /// How many of the newest stay
    #[arg(long, default_value_t = 7)]
    keep: usize,
    /// Delete them
    #[arg(long)]
    execute: bool,
    /// Where the services are, as JSON
    #[arg(long, value_name = "FILE")]
    remotes: Option<Utf8PathBuf>,
}

pub(super) fn run(ctx: &Ctx, args: &TidyArgs) -> anyhow::Result<()> {
    let check = || {
        ensure!(args.keep > 0, "--keep 0 would delete the newest, too");
        Ok(())
    };
    check().help("keep at least one")?;
    let endpoints = Endpoints::read(ctx, args.remotes.as_deref())?;
    let remotes = Remotes::new(ctx, endpoints, repository());
    let releases = github::all(&remotes, repository())?;
    let releases = releases.iter().filter(|it| it.prerelease || it.draft);
    // A tag may have lost its release in a run that was cut off.
    let tags = git::remote_tags(&remotes)?;
    let mut nightly = BTreeMap::new();
    for tag in tags.iter().map(String::as_str) {
        nightly.extend(version(tag).map(|it| (it, None)));
    }
    for release in releases {
        nightly.extend(version(&release.tag_name).map(|it| (it, Some(release.id))));
    }
    for (version, id) in nightly.iter().rev().skip(args.keep) {
        let tag = format!("v{version}");
        if !args.execute {
            output::line(format!("would delete {tag}"))?;
            continue;
        }
        if let Some(id) = id {
            let path = format!("/repos/{}/releases/{id}", repository());
            let request = Request::empty(Service::Github, Method::DELETE, path);
            remotes.send_unplanned(&request, &[])?;
        }
        if tags.contains(&tag) {
            git::delete_tag(&remotes, &tag)?;
        }
        output::line(format!("deleted {tag}"))?;
    }
    Ok(())
}

/// Returns the version of a nightly tag.
fn version(tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v')?).ok()?;
    is_nightly(&version).then_some(version)
}
