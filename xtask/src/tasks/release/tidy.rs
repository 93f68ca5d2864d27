//! `cargo xtask release tidy`: deletes old nightly pre-releases.

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
use crate::publish::items::github;
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
    let endpoints = Endpoints::read(args.remotes.as_deref())?;
    let remotes = Remotes::new(ctx, endpoints, repository());
    let mut nightly: Vec<_> = github::all(&remotes, repository())?
        .into_iter()
        .filter(|it| it.prerelease || it.draft)
        .filter_map(|it| {
            let version = Version::parse(it.tag_name.strip_prefix('v')?).ok()?;
            is_nightly(&version).then_some((version, it))
        })
        .collect();
    nightly.sort_by(|(one, _), (other, _)| other.cmp(one));
    for (_, found) in nightly.iter().skip(args.keep) {
        let tag = &found.tag_name;
        if !args.execute {
            output::line(format!("would delete {tag}"))?;
            continue;
        }
        for path in [
            format!("/repos/{}/releases/{}", repository(), found.id),
            format!("/repos/{}/git/refs/tags/{tag}", repository()),
        ] {
            let request = Request::empty(Service::Github, Method::DELETE, path);
            remotes.send_unplanned(&request, &[])?;
        }
        output::line(format!("deleted {tag}"))?;
    }
    Ok(())
}
