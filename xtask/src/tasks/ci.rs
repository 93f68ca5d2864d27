//! `cargo xtask ci`: what CI runs, runnable by hand. One list of jobs; workflows only name them.

use clap::Args;

use crate::command::CommandLine;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::{sh, tasks};

/// Run what CI runs
#[derive(Debug, Args)]
#[command(
    after_help = "Every job runs even when an earlier one has failed; the summary names those that did.\n\nExamples:\n  \
    cargo xtask ci                 before a push\n  cargo xtask ci --job clippy    one job\n  \
    cargo xtask ci --list          each job and what it checks"
)]
pub(crate) struct CiArgs {
    /// Print the jobs and stop
    #[arg(long)]
    list: bool,
    /// Run one job, repeatable
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<String>,
}

/// A job of CI.
struct Job {
    name: &'static str,
    checks: &'static str,
    run: fn(&Ctx) -> anyhow::Result<()>,
}

const JOBS: &[Job] = &[
    Job {
        name: "fmt",
        checks: "Rust is formatted as rustfmt does it",
        run: fmt,
    },
    Job {
        name: "clippy",
        checks: "no lint of Cargo.toml's list fires, in tests either",
        run: clippy,
    },
    Job {
        name: "doc",
        checks: "the documentation builds and its links resolve",
        run: doc,
    },
    Job {
        name: "tidy",
        checks: "headers, sizes, versions, README and workflows",
        run: tasks::tidy::run,
    },
    Job {
        name: "ui",
        checks: "the page's lint and types",
        run: ui,
    },
    Job {
        name: "test",
        checks: "every test, as `cargo xtask test` runs them",
        run: test,
    },
];

pub(crate) fn run(ctx: &Ctx, args: &CiArgs) -> anyhow::Result<()> {
    if args.list {
        JOBS.iter()
            .for_each(|job| println!("{:<8}{}", job.name, job.checks));
        return Ok(());
    }
    for name in &args.jobs {
        let known = JOBS.iter().any(|job| job.name == name);
        known
            .then_some(())
            .ok_or_else(|| anyhow::anyhow!("there is no job `{name}`"))
            .help("cargo xtask ci --list")?;
    }
    let wanted = |job: &&Job| args.jobs.is_empty() || args.jobs.iter().any(|name| job.name == name);
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

fn ui(ctx: &Ctx) -> anyhow::Result<()> {
    let _lock = sh::lock(ctx)?;
    tasks::ui::check(ctx, &["lint", "type-check"])
}

fn test(ctx: &Ctx) -> anyhow::Result<()> {
    tasks::test::run(ctx, &tasks::test::TestArgs::for_ci())
}
