//! `cargo xtask ci simulate`: a workflow tried on this machine before it is pushed.
//!
//! Each job gets a clean checkout of the commit at one place, keeping only what cargo has compiled there, and
//! the artifacts that jobs pass on go through folders. What only GitHub can do is named as not run.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::cargo::Host;
use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::reference::Reference;
use crate::release::Release;
use crate::target::TARGETS;
use crate::workflow::FOLDER;
use crate::workflow::model::{self, Job, Step};
use crate::{files, sh};

#[derive(Debug, Args)]
#[command(
    after_help = "Runs the `cargo xtask` steps of every job in an order that respects `needs`, each job in a clean \
    checkout of the last commit\nbelow target/xtask/simulate. Jobs for other kinds of machines and GitHub's own \
    actions are named as not run.\n\nExamples:\n  cargo xtask ci simulate multi-arch --registry 127.0.0.1:5000\n  \
    cargo xtask ci simulate ci --job fmt"
)]
pub(super) struct SimulateArgs {
    /// A workflow's file in .github/workflows, with or without .yml
    workflow: String,
    /// Registry on this machine that takes what is pushed; without one, steps that push are not run
    #[arg(long)]
    registry: Option<String>,
    /// Run only this job and those it needs, repeatable
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<String>,
}

/// Where a simulation takes place.
struct Place {
    checkout: Utf8PathBuf,
    artifacts: Utf8PathBuf,
    registry: Option<String>,
}

pub(super) fn run(ctx: &Ctx, args: &SimulateArgs) -> anyhow::Result<()> {
    let name = args.workflow.trim_end_matches(".yml");
    let path = ctx.root.join(FOLDER).join(format!("{name}.yml"));
    let text = files::read_to_string(&path).help(format!("the workflows lie in {FOLDER}"))?;
    let jobs = model::read(&text).with_context(|| format!("cannot read {path}"))?;
    let jobs = chosen(jobs, &args.jobs)?;
    if let Some(registry) = &args.registry {
        ensure!(
            Reference::join(registry, "noetl", "latest")?.is_loopback(),
            "{registry} is not on this machine, and this is only a rehearsal"
        );
    }
    let release = Release::read(ctx)?;
    if release.is_dirty() {
        sh::warn("the tree differs from its commit; the commit is what is tried");
    }
    let here = ctx.state().join("simulate");
    let place = Place {
        checkout: here.join("checkout"),
        artifacts: here.join("artifacts"),
        registry: args.registry.clone(),
    };
    files::remove(&place.artifacts)?;
    let machine = Host::read(ctx)?;
    let mut outcomes = BTreeMap::new();
    for job in &jobs {
        let failed_before =
            |name: &&String| outcomes.get(*name).is_some_and(|it| *it == Outcome::Failed);
        let outcome = if let Some(before) = job.needs.iter().find(failed_before) {
            sh::note(ctx, &format!("{} not run: {before} failed", job.name));
            Outcome::Failed
        } else if is_for_another_machine(job, &machine.triple) {
            sh::note(
                ctx,
                &format!("{} not run: it is for {}", job.name, job.runner),
            );
            Outcome::NotRun
        } else {
            let title = format!("job {}", job.name);
            let done = sh::step(ctx, &title, || run_job(ctx, &place, job, &release));
            done.map_or_else(
                |error| {
                    crate::error::report(&error);
                    Outcome::Failed
                },
                |()| Outcome::Passed,
            )
        };
        outcomes.insert(job.name.clone(), outcome);
    }
    conclude(&jobs, &outcomes)
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    NotRun,
    Failed,
}

fn conclude(jobs: &[Job], outcomes: &BTreeMap<String, Outcome>) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for job in jobs {
        let outcome = match outcomes[&job.name] {
            Outcome::Passed => "passed",
            Outcome::NotRun => "not run",
            Outcome::Failed => {
                failed.push(job.name.as_str());
                "failed"
            }
        };
        println!("{outcome:<8} {}", job.name);
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// The named jobs with all that they need; every job when none is named.
fn chosen(jobs: Vec<Job>, names: &[String]) -> anyhow::Result<Vec<Job>> {
    let mut wanted: BTreeSet<String> = names.iter().cloned().collect();
    for name in names {
        let known: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
        ensure!(
            known.contains(&name.as_str()),
            "no job {name}; there are {}",
            known.join(", ")
        );
    }
    // From the last to the first, so that what is needed by something needed is taken too.
    for job in jobs.iter().rev().filter(|_| !names.is_empty()) {
        if wanted.contains(&job.name) {
            wanted.extend(job.needs.iter().cloned());
        }
    }
    let is_wanted = |job: &Job| names.is_empty() || wanted.contains(&job.name);
    Ok(jobs.into_iter().filter(is_wanted).collect())
}

/// Everything is built on any machine; what was built is tried on its own kind alone.
fn is_for_another_machine(job: &Job, triple: &str) -> bool {
    let own = |runner: &str| {
        let of_runner = TARGETS
            .iter()
            .filter(|target| target.runner() == Some(runner));
        let kind = |triple: &str| {
            let os = ["linux", "darwin", "windows"]
                .into_iter()
                .find(|os| triple.contains(os));
            (triple.split('-').next().map(ToOwned::to_owned), os)
        };
        of_runner
            .map(|target| kind(target.triple))
            .any(|it| it == kind(triple))
    };
    let smokes = |step: &Step| matches!(step, Step::Run(command) if command.starts_with("cargo xtask smoke"));
    job.steps.iter().any(smokes) && !own(&job.runner)
}

fn run_job(ctx: &Ctx, place: &Place, job: &Job, release: &Release) -> anyhow::Result<()> {
    for step in &job.steps {
        match step {
            Step::Uses(action, _) if action == "actions/checkout" => {
                check_out(ctx, place, release)?
            }
            Step::Uses(action, with) if action == "actions/upload-artifact" => upload(place, with)?,
            Step::Uses(action, with) if action == "actions/download-artifact" => {
                download(place, with)?
            }
            Step::Uses(action, _) => sh::note(ctx, &format!("not run: {action}")),
            Step::Run(command) => run_command(ctx, place, command)?,
        }
    }
    Ok(())
}

/// The commit, and nothing else but what cargo compiled and xtask fetched in jobs before.
fn check_out(ctx: &Ctx, place: &Place, release: &Release) -> anyhow::Result<()> {
    let git = |words: &[&str]| sh::read(ctx, &CommandLine::new("git").args(words.iter().copied()));
    let checkout = place.checkout.as_str();
    let commit = release.commit.trim_end_matches("-dirty");
    files::create_folder(&place.checkout)?;
    git(&["init", "--quiet", checkout])?;
    let fetch = ["-C", checkout, "fetch", "--quiet", "--force", "--tags"];
    git(&[&fetch[..], &[ctx.root.as_str(), "HEAD"]].concat())?;
    git(&[
        "-C", checkout, "checkout", "--quiet", "--force", "--detach", commit,
    ])?;
    git(&["-C", checkout, "clean", "-ffdxq", "--exclude=/target"])?;
    let state = place.checkout.join("target/xtask");
    let kept = ["tools", "zig-cache", "zigbuild"];
    if state.is_dir() {
        for entry in state
            .read_dir_utf8()
            .with_context(|| format!("cannot list {state}"))?
        {
            let path = entry
                .with_context(|| format!("cannot list {state}"))?
                .into_path();
            if !path.file_name().is_some_and(|name| kept.contains(&name)) {
                files::remove(&path)?;
            }
        }
    }
    Ok(())
}

fn upload(place: &Place, with: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let (name, path) = (given(with, "name")?, given(with, "path")?);
    let from = place.checkout.join(path);
    ensure!(
        from.is_dir(),
        "{path}, which is to be uploaded, is not there"
    );
    files::replace_folder(&from, &place.artifacts.join(name))
}

/// One artifact's files go to `path`; those of a pattern each to a folder of its own below it.
fn download(place: &Place, with: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let path = place.checkout.join(given(with, "path")?);
    if let Some(name) = with.get("name") {
        let from = place.artifacts.join(name);
        ensure!(from.is_dir(), "no job has uploaded {name}");
        return files::replace_folder(&from, &path);
    }
    let pattern = given(with, "pattern")?;
    let start = pattern.strip_suffix('*').context("a pattern ends in *")?;
    let mut found = 0;
    for name in names(&place.artifacts)?
        .iter()
        .filter(|name| name.starts_with(start))
    {
        files::replace_folder(&place.artifacts.join(name), &path.join(name))?;
        found += 1;
    }
    ensure!(found > 0, "no job has uploaded {pattern}");
    Ok(())
}

fn names(folder: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let entries = folder
        .read_dir_utf8()
        .with_context(|| format!("cannot list {folder}"))?;
    let name = |entry: std::io::Result<camino::Utf8DirEntry>| Ok(entry?.file_name().to_owned());
    entries.map(name).collect()
}

fn given<'a>(with: &'a BTreeMap<String, String>, key: &str) -> anyhow::Result<&'a str> {
    with.get(key)
        .map(String::as_str)
        .with_context(|| format!("an artifact's step names no {key}"))
}

fn run_command(ctx: &Ctx, place: &Place, command: &str) -> anyhow::Result<()> {
    let words: Vec<_> = command.split_whitespace().collect();
    let ["cargo", "xtask", rest @ ..] = words.as_slice() else {
        sh::note(ctx, &format!("not run: {command}"));
        return Ok(());
    };
    let mut line = CommandLine::new("cargo")
        .arg("xtask")
        .args(rest.iter().copied());
    if rest.contains(&"--push") {
        let Some(registry) = &place.registry else {
            sh::note(ctx, &format!("not run, for want of --registry: {command}"));
            return Ok(());
        };
        line = line.args(["--registry", registry.as_str()]);
    }
    let target = place.checkout.join("target");
    let line = line
        .cwd(&place.checkout)
        .env("CARGO_TARGET_DIR", target.as_str());
    sh::run(ctx, &line).map_err(|error| anyhow!("{error:#}"))
}
