//! The tasks of this repository; `cargo xtask --help` lists them.
//!
//! Arguments become a plan ([`release::plan`], [`image::plan`]), a plan becomes files, [`release::verify`] reads the files
//! and returns them as `Verified`, and only that is published. Each module uses only those before it: [`host`],
//! [`release`], [`image`], [`kube`] and [`ci`], [`publish`], [`tasks`].

mod ci;
mod host;
mod image;
mod kube;
mod publish;
mod release;
mod tasks;

#[cfg(test)]
mod fixtures;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::host::ctx::{Ctx, Verbosity};

/// Build, package, check and release NoETL
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", version, arg_required_else_help = true, after_help = HELP)]
struct Cli {
    /// Print more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Print only warnings and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Send a registry's credentials to this token server, which is on another site; repeatable, or
    /// NOETL_REGISTRY_TOKEN_SERVER
    #[arg(
        long = "token-server",
        global = true,
        value_name = "HOST",
        hide_short_help = true
    )]
    token_servers: Vec<String>,
    #[command(subcommand)]
    task: Task,
}

const HELP: &str = "Start here:\n  cargo xtask setup    then bin/noetl server start\n  \
    cargo xtask dist     archives and image of a release, for every platform\n  \
    cargo xtask test     every test\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 a tool is missing";

#[derive(Debug, Subcommand)]
enum Task {
    Setup(tasks::setup::SetupArgs),
    Ui(tasks::ui::UiArgs),
    Build(tasks::build::BuildArgs),
    Dist(tasks::dist::DistArgs),
    Image(Box<tasks::image::ImageArgs>),
    Verify(tasks::verify::VerifyArgs),
    Smoke(tasks::smoke::SmokeArgs),
    Deploy(tasks::deploy::DeployArgs),
    #[command(name = "k8s")]
    K8s(tasks::k8s::K8sArgs),
    Release(Box<tasks::release::ReleaseArgs>),
    Test(tasks::test::TestArgs),
    Bench(tasks::bench::BenchArgs),
    Size(tasks::size::SizeArgs),
    Ci(tasks::ci::CiArgs),
    CiMultiarch(tasks::ci_multiarch::CiMultiarchArgs),
    Doctor(tasks::doctor::DoctorArgs),
    Clean(tasks::clean::CleanArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => host::error::report(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let verbosity = match (cli.verbose, cli.quiet) {
        (true, _) => Verbosity::Verbose,
        (_, true) => Verbosity::Quiet,
        _ => Verbosity::Normal,
    };
    let mut ctx = match cli.task {
        Task::Smoke(_) => Ctx::anywhere(verbosity)?,
        _ => Ctx::new(verbosity)?,
    };
    ctx.token_servers.extend(cli.token_servers.iter().cloned());
    let ctx = &ctx;
    match &cli.task {
        Task::Setup(args) => tasks::setup::run(ctx, args),
        Task::Ui(args) => tasks::ui::run(ctx, args),
        Task::Build(args) => tasks::build::run(ctx, args),
        Task::Dist(args) => tasks::dist::run(ctx, args),
        Task::Image(args) => tasks::image::run(ctx, args),
        Task::Verify(args) => tasks::verify::run(ctx, args),
        Task::Smoke(args) => tasks::smoke::run(ctx, args),
        Task::Deploy(args) => tasks::deploy::run(ctx, args),
        Task::K8s(args) => tasks::k8s::run(ctx, args),
        Task::Release(args) => tasks::release::run(ctx, args),
        Task::Test(args) => tasks::test::run(ctx, args),
        Task::Bench(args) => tasks::bench::run(ctx, args),
        Task::Size(args) => tasks::size::run(ctx, args),
        Task::Ci(args) => tasks::ci::run(ctx, args),
        Task::CiMultiarch(args) => tasks::ci_multiarch::run(ctx, args),
        Task::Doctor(args) => tasks::doctor::run(ctx, args),
        Task::Clean(args) => tasks::clean::run(ctx, args),
    }
}
