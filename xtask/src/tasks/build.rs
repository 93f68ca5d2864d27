//! `cargo xtask build`: binaries for the given targets.

use clap::Args;
use noetl_oci::Sha256;
use serde_json::json;

use crate::host::ctx::{Ctx, Wanted};
use crate::host::{files, output, run};
use crate::release::cargo::{self, Binary};
use crate::release::plan::{Plan, Products, Request, plan};
use crate::release::{page, target};
use crate::tasks::Preview;

/// Build noetl for one or many platforms from this machine
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask build                                    the binary for this machine\n  \
    cargo xtask build --targets linux                    both Linux binaries\n  \
    cargo xtask build --targets aarch64-apple-darwin     one Mac binary, from anywhere\n  \
    cargo xtask build --targets all --dry-run            the commands that would run\n\n\
    All targets are compiled by one cargo invocation with zig as C compiler and linker; zig is fetched with pip, \
    pinned by hash."
)]
pub(crate) struct BuildArgs {
    /// Target triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "host", value_parser = target::word)]
    targets: Vec<String>,
    /// Leave the web page as it is
    #[arg(long)]
    no_ui: bool,
    /// Let cargo write a report of the time that each crate takes, to cargo-timings/ in the target directory
    #[arg(long)]
    timings: bool,
    /// Print JSON: target, path, size, sha256 of each binary
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    preview: Preview,
}

pub(crate) fn run(ctx: &Ctx, args: &BuildArgs) -> anyhow::Result<()> {
    let (release, host) = cargo::read_release_and_host(ctx)?;
    let targets = target::select(&args.targets, &host.triple)?;
    let ui = if args.no_ui { Wanted::No } else { ctx.ui };
    let products = Products::Binaries;
    let request = Request {
        targets,
        products,
        ui,
        universal: false,
        timings: args.timings,
    };
    let plan = plan(&host, &release, &request);
    if args.preview.wanted() {
        return args.preview.show(&plan, &plan.commands, &[]);
    }
    let _lock = run::lock(ctx)?;
    let binaries = binaries(ctx, &plan, ui)?;
    if !args.json {
        let mut paths = binaries.iter().map(|binary| &binary.path);
        return paths.try_for_each(output::line);
    }
    let mut list = Vec::new();
    for Binary { target, path } in &binaries {
        let bytes = files::read(path)?;
        list.push(json!({
            "target": target.triple, "path": path, "size": bytes.len(), "sha256": Sha256::of(&bytes),
        }));
    }
    output::json(&list)
}

/// Builds the web page, if it is wanted, and then the planned binaries, which embed it.
pub(crate) fn binaries(ctx: &Ctx, plan: &Plan, ui: Wanted) -> anyhow::Result<Vec<Binary>> {
    match ui {
        Wanted::Yes => drop(page::build(ctx)?),
        Wanted::No => output::note(ctx, "the web page is left as it is"),
    }
    cargo::build(ctx, &plan.compile, &plan.targets)
}
