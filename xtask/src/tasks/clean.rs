//! `cargo xtask clean`: removes generated files.

use clap::Args;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};

/// Remove what was generated
#[derive(Debug, Args)]
#[command(
    after_help = "Removes bin/, noetl/, dist/, ui-src/dist and target/xtask. --all removes ui-src/node_modules \
    and target/ as well."
)]
pub(crate) struct CleanArgs {
    /// Remove dependencies and cargo's target folder as well
    #[arg(long)]
    all: bool,
}

const GENERATED: &[&str] = &[
    "bin",
    "noetl",
    "dist",
    ".dist.part",
    ".dist.old",
    "ui-src/dist",
    "ui-src/.dist.part",
];

pub(crate) fn run(ctx: &Ctx, args: &CleanArgs) -> anyhow::Result<()> {
    let _lock = run::lock(ctx)?;
    let mut paths: Vec<_> = GENERATED.iter().map(|path| ctx.root.join(path)).collect();
    paths.push(ctx.state());
    if args.all {
        paths.push(ctx.root.join("ui-src/node_modules"));
        // A target folder outside the checkout may be shared with other projects.
        let target = Some(ctx.target_dir.clone());
        paths.extend(target.filter(|folder| folder.starts_with(&ctx.root)));
    }
    for path in paths.iter().filter(|path| path.exists()) {
        files::remove(path)?;
        output::note(ctx, &format!("removed {path}"));
    }
    Ok(())
}
