//! `cargo xtask release`: plans a release, and with `--execute` makes it.

mod preflight;
mod prepare;
mod rehearse;
mod show;
mod sign;
mod tidy;
mod verify;
mod yank;

use anyhow::{Context as _, anyhow};
use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use noetl_help::Help as _;
use serde::Serialize;

use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::image::rules::ImageStandard;
use crate::publish::endpoints::Endpoints;
use crate::publish::execute;
use crate::publish::inputs::{self, Inputs};
use crate::publish::items::crates::Crate;
use crate::publish::journal::{Entry, Journal};
use crate::publish::lock::{self, Holder};
use crate::publish::plan::{self, Plan};
use crate::publish::remotes::Remotes;
use crate::publish::step::Step;
use crate::release::bump::{self, Wanted};
use crate::release::crates;
use crate::release::dist_manifest::{Content, DistManifest};
use crate::release::verify::Verified;
use crate::release::version::Release;
use crate::release::workspace::REPOSITORY;
use crate::tasks::dist::{self, Extras};
use crate::tasks::release::prepare::Preparation;

/// Release a version: plan first, and with --execute make it so
#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true,
    after_help = "Prints the plan: the version, its changelog, the files, and each remote step with what is there now and \
    what changes.\nNothing is changed without --execute. A release that stopped goes on with --resume, from what the remotes have; \
    nothing is\npublished twice and nothing is overwritten. What cannot be undone comes after all that can, and what points \
    to it comes last.\n\nTokens: GITHUB_TOKEN, NOETL_CHANNELS_TOKEN (repositories of package managers), PYPI_TOKEN, NPM_TOKEN,\n\
    CARGO_REGISTRY_TOKEN; a workflow of GitHub Actions needs none for the three registries of packages.\n\nExamples:\n  \
    cargo xtask release                   the plan for the version in Cargo.toml\n  \
    cargo xtask release minor             the plan for the next version\n  \
    cargo xtask release minor --execute   and make it\n  \
    cargo xtask release --resume          go on after an interruption\n  \
    cargo xtask release --abandon         undo what can be undone\n  \
    cargo xtask release rehearse          all of it, against services on this machine"
)]
pub(crate) struct ReleaseArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: MakeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rehearse(rehearse::RehearseArgs),
    Verify(verify::VerifyArgs),
    Tidy(tidy::TidyArgs),
    Yank(yank::YankArgs),
}

#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    /// patch, minor, major, or a version [default: the one in Cargo.toml]
    #[arg(value_parser = bump::wanted)]
    version: Option<Wanted>,
    /// Make a pre-release: rc and the like are counted; nightly.20260131 is taken as it is
    #[arg(long, value_name = "NAME")]
    pre: Option<String>,
    /// Make the release
    #[arg(long, conflicts_with_all = ["resume", "abandon"])]
    execute: bool,
    /// Go on with the release of the version in Cargo.toml
    #[arg(long, conflicts_with_all = ["version", "pre", "abandon"])]
    resume: bool,
    /// Undo what can be undone of the version in Cargo.toml, and say what cannot
    #[arg(long, conflicts_with_all = ["version", "pre"])]
    abandon: bool,
    /// Take the lock from somebody who has given up
    #[arg(long)]
    take_over: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Release this folder [default: dist/, which is built when it is not of the commit]
    #[arg(long, value_name = "DIR")]
    dist: Option<Utf8PathBuf>,
    /// Sign the repositories for apt and dnf with this key of GnuPG; without a signature they are not published
    #[arg(long, value_name = "KEY", conflicts_with = "dist")]
    sign_with: Option<String>,
    /// Sign SHA256SUMS with this key of cosign, whose password is COSIGN_PASSWORD; a workflow signs by its identity
    #[arg(long, value_name = "KEY")]
    sign_key: Option<String>,
    /// Where the services are, as JSON
    #[arg(long, value_name = "FILE")]
    remotes: Option<Utf8PathBuf>,
    /// For rehearsals: take the text under `Unreleased` without a commit, and repositories without a signature
    #[arg(long, hide = true)]
    as_it_is: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &ReleaseArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(Command::Rehearse(args)) => rehearse::run(ctx, args),
        Some(Command::Verify(args)) => verify::run(ctx, args),
        Some(Command::Tidy(args)) => tidy::run(ctx, args),
        Some(Command::Yank(args)) => yank::run(ctx, args),
        None => make(ctx, &args.make),
    }
}

/// Returns NoETL's repository at GitHub, such as `noetl/noetl`.
fn repository() -> &'static str {
    REPOSITORY.trim_start_matches("https://github.com/")
}

fn make(ctx: &Ctx, args: &MakeArgs) -> anyhow::Result<()> {
    let endpoints = Endpoints::read(ctx, args.remotes.as_deref())?;
    let preparation = Preparation::plan(ctx, args)?;
    let remotes = Remotes::new(ctx, endpoints.clone(), repository());
    if args.abandon {
        return abandon(ctx, args, &preparation, remotes);
    }
    let mut problems = preflight::of_checkout(ctx, args, &preparation, &endpoints)?;
    problems.extend(preflight::of_services(&remotes, &preparation)?);
    if !(args.execute || args.resume) {
        return show::show(ctx, args, &preparation, &remotes, problems);
    }
    preflight::refuse(&problems)?;
    preparation.commit(ctx)?;
    let release = Release::read(ctx)?;
    let journal = Journal::open(ctx, &release.tag)?;
    if let Some(last) = journal.last() {
        let Entry {
            time,
            step,
            item,
            event,
        } = &last;
        output::note(
            ctx,
            &format!("the journal ends at {time} with step {step}, {item}: {event}"),
        );
    }
    let dist = dist(ctx, args)?;
    let steps = &steps(ctx, args, &preparation, &remotes, &journal, &dist)?;
    let taken = preflight::of_items(&remotes, steps)?;
    preflight::refuse(&taken)?;
    let plan = Plan::new(&release, &endpoints, steps)?;
    let plan_path = journal.folder().join("plan.json");
    files::write(&plan_path, serde_json::to_vec_pretty(&plan)?)?;
    let remotes = remotes.allow(plan::allowed(steps)?, journal.transcript());
    let holder = Holder::of(ctx, &journal, &release.tag)?;
    let lock = lock::take(ctx, &journal, &endpoints.git, &holder, args.take_over)?;
    execute::publish(&remotes, &journal, steps).help(
        "what is published stays; go on with `cargo xtask release --resume`, or undo it with `cargo xtask release --abandon`",
    )?;
    lock.release()?;
    tell_workflow(ctx, &remotes, dist.dist.value())?;
    let made = remotes.made();
    if args.json {
        let made = Made {
            release: &release,
            plan: plan.hash,
            transcript: plan::hash(&made)?,
            changes: made.len(),
        };
        return output::json(&made);
    }
    output::line(format!(
        "{} is released: {REPOSITORY}/releases/tag/{}",
        release.tag, release.tag
    ))?;
    output::line(format!(
        "check it as anybody can: cargo xtask release verify {}",
        release.tag
    ))
}

/// Writes the image's name and digest where a later step of the workflow reads them.
fn tell_workflow(ctx: &Ctx, remotes: &Remotes<'_>, dist: &DistManifest) -> anyhow::Result<()> {
    let digest = dist.artifacts.iter().find_map(|it| match &it.content {
        Content::Image(image) => Some(&image.index_digest),
        _ => None,
    });
    match (&ctx.github.output, digest) {
        (Some(output), Some(digest)) => {
            let registry = &remotes.endpoints().registry;
            files::append(
                output,
                &format!("image={registry}/noetl\ndigest={digest}\n"),
            )
        }
        _ => Ok(()),
    }
}

/// The result of a release, as JSON.
#[derive(Serialize)]
struct Made<'a> {
    release: &'a Release,
    /// The hash of the plan.
    plan: noetl_oci::Sha256,
    /// The hash of what this run has changed; that of the plan when it found nothing at the remotes.
    transcript: noetl_oci::Sha256,
    changes: usize,
}

/// Returns the verified dist of this commit, and builds it when the folder has another one.
fn dist(ctx: &Ctx, args: &MakeArgs) -> anyhow::Result<Dist> {
    let (folder, dist) = match &args.dist {
        Some(folder) => (folder.clone(), verified(ctx, folder)?),
        None => {
            let folder = ctx.root.join("dist");
            let targets = ["default".to_owned()];
            let extras = Extras {
                sign_with: args.sign_with.clone(),
                ..Extras::default()
            };
            (
                folder.clone(),
                dist::ensure(ctx, &targets, &extras, &folder)?,
            )
        }
    };
    Ok(Dist { folder, dist })
}

/// A verified dist and its folder.
struct Dist {
    folder: Utf8PathBuf,
    dist: Verified<DistManifest>,
}

fn verified(ctx: &Ctx, folder: &Utf8PathBuf) -> anyhow::Result<Verified<DistManifest>> {
    output::step(ctx, &format!("check {folder}"), || {
        let standard = ImageStandard::any_release(&crate::release::target::platforms());
        crate::release::verify::dist(ctx, folder, standard.rules())
    })
}

/// Returns the steps that publish a dist; signs it and packs the crates.
fn steps(
    ctx: &Ctx,
    args: &MakeArgs,
    preparation: &Preparation,
    remotes: &Remotes<'_>,
    journal: &Journal,
    dist: &Dist,
) -> anyhow::Result<Vec<Step>> {
    let manifest = dist.dist.value();
    let is_nightly = inputs::is_nightly(&preparation.version);
    let packed = match is_nightly {
        true => Vec::new(),
        false => output::step(ctx, "pack the crates", || {
            let commit = manifest.release.commit.trim_end_matches("-dirty");
            let folder = ctx.state().join("release/crates");
            crates::pack(ctx, commit, manifest.ui_sha256, &folder)
        })?,
    };
    let crates = packed.into_iter().map(|it| {
        let content = noetl_oci::Blob::of_file(&it.path)?;
        let sha256 = content.sha256()?;
        let (name, version, metadata) = (it.name, it.version, it.metadata);
        Ok(Crate {
            name,
            version,
            metadata,
            content,
            sha256,
        })
    });
    let inputs = Inputs {
        dist: &dist.dist,
        folder: &dist.folder,
        extra: sign::sums(remotes, journal, args.sign_key.as_deref(), dist)?,
        crates: crates.collect::<anyhow::Result<_>>()?,
        notes: preparation.notes(),
        publishes_unsigned: args.as_it_is,
        is_nightly,
        is_newest: preparation.is_newest,
        repository: repository().to_owned(),
        endpoints: remotes.endpoints(),
    };
    for channel in inputs.unsigned() {
        let help = "give the key with --sign-with, or build dist/ with it";
        output::warn(&format!(
            "the repository for {channel} is not signed, and so not published: {help}"
        ));
    }
    crate::publish::steps::steps(&inputs)
}

/// Undoes what can be undone.
fn abandon(
    ctx: &Ctx,
    args: &MakeArgs,
    preparation: &Preparation,
    remotes: Remotes<'_>,
) -> anyhow::Result<()> {
    let release = Release::read(ctx)?;
    let journal = Journal::open(ctx, &release.tag)?;
    let folder = args.dist.clone().unwrap_or_else(|| ctx.root.join("dist"));
    if !preflight::is_of(&folder, &release)? {
        return Err(anyhow!("{folder} is not the dist of {}", release.commit))
            .help("check out the commit of the release; `cargo xtask dist` makes its files again");
    }
    let dist = Dist {
        dist: verified(ctx, &folder)?,
        folder,
    };
    let steps = steps(ctx, args, preparation, &remotes, &journal, &dist)?;
    let endpoints = remotes.endpoints().clone();
    let holder = Holder::of(ctx, &journal, &release.tag)?;
    let lock = lock::take(ctx, &journal, &endpoints.git, &holder, args.take_over)?;
    if execute::is_irrevocable(&remotes, &steps)? {
        output::warn(&format!(
            "parts of {} are published for good; they stay",
            release.tag
        ));
    }
    let stays = execute::abandon(&remotes, &journal, &steps)
        .context("the release is undone in part")
        .help("run it again: it goes on where it stopped")?;
    lock.release()?;
    for line in &stays {
        output::line(format!("stays: {line}"))?;
    }
    output::line(format!("{} is abandoned", release.tag))
}
