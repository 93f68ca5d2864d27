//! `cargo xtask ci`: the jobs of CI, which can be run by hand as well. Workflows only name them.

mod generate;
mod licenses;

use anyhow::{anyhow, ensure};
use clap::{Args, Subcommand};
use noetl_help::Help as _;
use xshell::cmd;

use crate::host::ctx::{self, Ctx};
use crate::host::{error, output, run};
use crate::tasks::test::TestArgs;
use crate::tasks::{self, tidy};

/// Run what CI runs
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Every job runs, also after one has failed; the last line lists those that failed.\n\nExamples:\n  \
    cargo xtask ci                 before a push\n  cargo xtask ci --quick         in under a minute\n  \
    cargo xtask ci --job clippy    one job\n  cargo xtask ci --list          each job and what it checks"
)]
pub(crate) struct CiArgs {
    #[command(subcommand)]
    command: Option<CiCommand>,
    /// Print the jobs and stop
    #[arg(long)]
    list: bool,
    /// Skip the jobs that take longer than a minute when everything is up to date
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

/// A job: its name, its function, and what it checks.
type Job = (&'static str, fn(&Ctx) -> anyhow::Result<()>, &'static str);

const JOBS: &[Job] = &[
    ("fmt", fmt, "the format of Rust sources"),
    ("clippy", clippy, "the lints of Cargo.toml, also in tests"),
    ("doc", doc, "the documentation builds and its links resolve"),
    (
        "tidy",
        tidy::run,
        "headers, sizes, versions, features, number of crates",
    ),
    (
        "workflows",
        generate::check,
        "workflows and parts of README.md are those that `cargo xtask ci generate` writes",
    ),
    ("licenses", licenses::run, "licences of all packages"),
    ("advisories", advisories, "vulnerabilities, by cargo-deny"),
    ("ui", ui, "lint and types of the web page"),
    ("test", test, "every test, as `cargo xtask test` runs them"),
];

/// The jobs that take longer than a minute when everything is up to date.
const SLOW: &[&str] = &["doc", "advisories", "test"];

pub(crate) fn run(ctx: &Ctx, args: &CiArgs) -> anyhow::Result<()> {
    if let Some(CiCommand::Generate(args)) = &args.command {
        return generate::run(ctx, args);
    }
    if args.list {
        let mut jobs = JOBS.iter();
        return jobs.try_for_each(|(name, _, checks)| output::line(format!("{name:<12}{checks}")));
    }
    let is_unknown = |name: &&String| !job_names().contains(&name.as_str());
    if let Some(name) = args.jobs.iter().find(is_unknown) {
        return Err(anyhow!("there is no job `{name}`")).help("cargo xtask ci --list");
    }
    let mut failed = Vec::new();
    for (name, run, _) in JOBS {
        let is_wanted = args.jobs.is_empty() || args.jobs.iter().any(|job| job == name);
        if !is_wanted || args.quick && SLOW.contains(name) {
            continue;
        }
        if let Err(error) = output::step(ctx, &format!("ci {name}"), || run(ctx)) {
            error::report(&error);
            failed.push(*name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn fmt(ctx: &Ctx) -> anyhow::Result<()> {
    run::run(ctx, cmd!(ctx.shell, "cargo fmt --all --check")).help("cargo fmt --all")
}

fn clippy(ctx: &Ctx) -> anyhow::Result<()> {
    let clippy = cmd!(
        ctx.shell,
        "cargo clippy --workspace --all-targets --locked --features noetl-server/openapi"
    );
    run::run(ctx, clippy.args(["--", "--deny", "warnings"]))
}

fn doc(ctx: &Ctx) -> anyhow::Result<()> {
    let workspace = cmd!(ctx.shell, "cargo doc --workspace --document-private-items");
    // The documentation of the library as its users see it.
    let library = cmd!(ctx.shell, "cargo doc --package noetl-oci");
    for doc in [workspace, library] {
        let doc = doc.args(["--no-deps", "--locked"]);
        run::run(ctx, doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    }
    Ok(())
}

/// Compares Cargo.lock with the advisory database. Without cargo-deny or a network, the job only warns.
fn advisories(ctx: &Ctx) -> anyhow::Result<()> {
    if ctx::find_program("cargo-deny").is_none() {
        output::warn("not run: cargo-deny is not installed: `cargo install --locked cargo-deny`");
        return Ok(());
    }
    if let Err(error) = run::read(ctx, cmd!(ctx.shell, "cargo-deny fetch db")) {
        let reason = format!("{error:#}");
        let last = reason.lines().last().unwrap_or_default();
        output::warn(&format!("not run: no advisory database: {last}"));
        return Ok(());
    }
    let check = cmd!(ctx.shell, "cargo-deny check --disable-fetch advisories");
    run::run(ctx, check).help("update the crate: cargo update --package NAME")
}

fn ui(ctx: &Ctx) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    tasks::ui::check(ctx, &["lint", "type-check"])
}

fn test(ctx: &Ctx) -> anyhow::Result<()> {
    tasks::test::run(ctx, &TestArgs::for_ci())
}

/// Returns the names of all jobs; the workflow runs each by its name.
fn job_names() -> Vec<&'static str> {
    JOBS.iter().map(|(name, ..)| *name).collect()
}
