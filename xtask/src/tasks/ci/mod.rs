//! `cargo xtask ci`: what CI runs, runnable by hand. One list of jobs; workflows only name them.

mod generate;
mod licenses;

use anyhow::{anyhow, ensure};
use clap::{Args, Subcommand};
use noetl_help::Help as _;
use xshell::cmd;

use crate::host::ctx::{self, Ctx};
use crate::host::{error, output, run};
use crate::tasks;

pub(crate) use self::generate::drift;

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
        checks: "headers, sizes, versions, features, budget; workflows are as generated",
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
        checks: "no crate with a known vulnerability, by cargo-deny where its database can be reached",
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
    if let Some(CiCommand::Generate(args)) = &args.command {
        return generate::run(ctx, args);
    }
    if args.list {
        let mut jobs = JOBS.iter();
        return jobs.try_for_each(|job| output::line(format!("{:<12}{}", job.name, job.checks)));
    }
    let is_known = |name: &&String| JOBS.iter().any(|job| job.name == **name);
    if let Some(name) = args.jobs.iter().find(|name| !is_known(name)) {
        return Err(anyhow!("there is no job `{name}`")).help("cargo xtask ci --list");
    }
    let wanted = |job: &&Job| {
        let named = args.jobs.iter().any(|name| job.name == name);
        (args.jobs.is_empty() || named) && (job.quick || !args.quick)
    };
    let mut failed = Vec::new();
    for job in JOBS.iter().filter(wanted) {
        if let Err(error) = output::step(ctx, &format!("ci {}", job.name), || (job.run)(ctx)) {
            error::report(&error);
            failed.push(job.name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn fmt(ctx: &Ctx) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    run::run(ctx, cmd!(shell, "cargo fmt --all --check")).help("cargo fmt --all")
}

fn clippy(ctx: &Ctx) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    let lint = cmd!(
        shell,
        "cargo clippy --workspace --all-targets --locked -- --deny warnings"
    );
    run::run(ctx, lint)
}

fn doc(ctx: &Ctx) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    let doc = cmd!(
        shell,
        "cargo doc --workspace --no-deps --locked --document-private-items"
    );
    run::run(ctx, doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    // The library's own documentation, as its users see it.
    let doc = cmd!(shell, "cargo doc --package noetl-oci --no-deps --locked");
    run::run(ctx, doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Asks the advisory database about Cargo.lock. Without cargo-deny, or without a network, the job only warns.
fn advisories(ctx: &Ctx) -> anyhow::Result<()> {
    if ctx::find_program("cargo-deny").is_none() {
        output::warn(
            "not run: cargo-deny is not installed; `cargo install --locked cargo-deny` does that",
        );
        return Ok(());
    }
    let shell = &ctx.shell;
    if let Err(error) = run::read(ctx, cmd!(shell, "cargo-deny fetch db")) {
        let reason = format!("{error:#}");
        let last = reason.lines().last().unwrap_or_default();
        output::warn(&format!(
            "not run: the advisory database cannot be reached: {last}"
        ));
        return Ok(());
    }
    run::run(
        ctx,
        cmd!(shell, "cargo-deny check --disable-fetch advisories"),
    )
    .help("update the crate: cargo update --package NAME")
}

fn ui(ctx: &Ctx) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    tasks::ui::check(ctx, &["lint", "type-check"])
}

fn test(ctx: &Ctx) -> anyhow::Result<()> {
    tasks::test::run(ctx, &tasks::test::TestArgs::for_ci())
}

/// Returns the names of all jobs, which the workflow runs one by one.
pub(crate) fn job_names() -> Vec<&'static str> {
    JOBS.iter().map(|job| job.name).collect()
}
