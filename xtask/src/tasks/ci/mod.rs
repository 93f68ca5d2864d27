//! `cargo xtask ci`: what CI runs, runnable by hand. One list of jobs; workflows only name them.

mod generate;
mod licenses;
mod simulate;

use clap::{Args, Subcommand};

pub(crate) use self::generate::drift;
use crate::command::CommandLine;
use crate::ctx::{self, Ctx};
use crate::error::WithHelp as _;
use crate::{sh, tasks};

/// Run what CI runs
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Every job runs even when an earlier one has failed; the summary names those that did.\n\nExamples:\n  \
    cargo xtask ci                 before a push\n  cargo xtask ci --quick         in under a minute\n  \
    cargo xtask ci --job clippy    one job\n  cargo xtask ci --list          each job and what it checks"
)]
pub(crate) struct CiArgs {
    #[command(subcommand)]
    command: Option<CiCommand>,
    /// Print the jobs and stop
    #[arg(long)]
    list: bool,
    /// Leave out the jobs that take longer than a minute when nothing is new
    #[arg(long, conflicts_with = "jobs")]
    quick: bool,
    /// Run one job, repeatable
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum CiCommand {
    /// Write the workflows in .github/workflows
    Generate(generate::GenerateArgs),
    /// Run a workflow's steps here, job after job
    Simulate(simulate::SimulateArgs),
}

/// A job of CI.
struct Job {
    name: &'static str,
    checks: &'static str,
    /// Whether it takes seconds when nothing is new.
    quick: bool,
    run: fn(&Ctx) -> anyhow::Result<()>,
}

const JOBS: &[Job] = &[
    Job {
        name: "fmt",
        checks: "Rust is formatted as rustfmt does it",
        quick: true,
        run: fmt,
    },
    Job {
        name: "clippy",
        checks: "no lint of Cargo.toml's list fires, in tests either",
        quick: true,
        run: clippy,
    },
    Job {
        name: "doc",
        checks: "the documentation builds and its links resolve",
        quick: false,
        run: doc,
    },
    Job {
        name: "tidy",
        checks: "headers, sizes, versions, features, budget; workflows are generated and hold no logic",
        quick: true,
        run: tasks::tidy::run,
    },
    Job {
        name: "licenses",
        checks: "crates and npm packages ask for no more than a notice",
        quick: true,
        run: licenses::run,
    },
    Job {
        name: "advisories",
        checks: "no crate with a known hole, by cargo-deny where its database can be reached",
        quick: false,
        run: advisories,
    },
    Job {
        name: "ui",
        checks: "the page's lint and types",
        quick: true,
        run: ui,
    },
    Job {
        name: "test",
        checks: "every test, as `cargo xtask test` runs them",
        quick: false,
        run: test,
    },
];

pub(crate) fn run(ctx: &Ctx, args: &CiArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(CiCommand::Generate(args)) => return generate::run(ctx, args),
        Some(CiCommand::Simulate(args)) => return simulate::run(ctx, args),
        None => {}
    }
    if args.list {
        JOBS.iter()
            .for_each(|job| println!("{:<12}{}", job.name, job.checks));
        return Ok(());
    }
    for name in &args.jobs {
        let known = JOBS.iter().any(|job| job.name == name);
        known
            .then_some(())
            .ok_or_else(|| anyhow::anyhow!("there is no job `{name}`"))
            .help("cargo xtask ci --list")?;
    }
    let wanted = |job: &&Job| {
        let named = args.jobs.iter().any(|name| job.name == name);
        (args.jobs.is_empty() || named) && (job.quick || !args.quick)
    };
    let mut failed = Vec::new();
    for job in JOBS.iter().filter(wanted) {
        if let Err(error) = sh::step(ctx, &format!("ci {}", job.name), || (job.run)(ctx)) {
            crate::error::report(&error);
            failed.push(job.name);
        }
    }
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn cargo(ctx: &Ctx, args: &[&str]) -> anyhow::Result<()> {
    sh::run(ctx, &CommandLine::new("cargo").args(args.iter().copied()))
}

fn fmt(ctx: &Ctx) -> anyhow::Result<()> {
    cargo(ctx, &["fmt", "--all", "--check"]).help("cargo fmt --all")
}

fn clippy(ctx: &Ctx) -> anyhow::Result<()> {
    cargo(
        ctx,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ],
    )
}

fn doc(ctx: &Ctx) -> anyhow::Result<()> {
    let command = CommandLine::new("cargo").args([
        "doc",
        "--workspace",
        "--no-deps",
        "--locked",
        "--document-private-items",
    ]);
    sh::run(ctx, &command.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// What the advisory database says of Cargo.lock; without network or cargo-deny it says nothing.
fn advisories(ctx: &Ctx) -> anyhow::Result<()> {
    if ctx::find_program("cargo-deny").is_none() {
        sh::warn(
            "not run: cargo-deny is not installed; `cargo install --locked cargo-deny` does that",
        );
        return Ok(());
    }
    let deny = |words: &[&str]| CommandLine::new("cargo-deny").args(words.iter().copied());
    if let Err(error) = sh::read(ctx, &deny(&["fetch", "db"])) {
        let reason = format!("{error:#}");
        let last = reason.lines().last().unwrap_or_default();
        sh::warn(&format!(
            "not run: the advisory database cannot be reached: {last}"
        ));
        return Ok(());
    }
    sh::run(ctx, &deny(&["check", "--disable-fetch", "advisories"]))
        .help("update the crate: cargo update --package NAME")
}

fn ui(ctx: &Ctx) -> anyhow::Result<()> {
    let _lock = sh::lock(ctx)?;
    tasks::ui::check(ctx, &["lint", "type-check"])
}

fn test(ctx: &Ctx) -> anyhow::Result<()> {
    tasks::test::run(ctx, &tasks::test::TestArgs::for_ci())
}

/// The names of all jobs, which the workflow runs one by one.
pub(crate) fn job_names() -> Vec<&'static str> {
    JOBS.iter().map(|job| job.name).collect()
}
