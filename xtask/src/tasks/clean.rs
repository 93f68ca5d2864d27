//! `cargo xtask clean`: removes what was generated, and nothing else.

use clap::Args;

use crate::ctx::Ctx;
use crate::{files, sh};

/// Remove what was generated
#[derive(Debug, Args)]
#[command(
    after_help = "Removes bin/, noetl/, dist/, ui-src/dist and xtask's own state. --all removes ui-src/node_modules \
    and target/ as well."
)]
pub(crate) struct CleanArgs {
    /// Remove dependencies and cargo's target folder as well
    #[arg(long)]
    all: bool,
}

const GENERATED: &[&str] = &["bin", "noetl", "dist", "ui-src/dist"];

pub(crate) fn run(ctx: &Ctx, args: &CleanArgs) -> anyhow::Result<()> {
    let _lock = sh::lock(ctx)?;
    let mut paths: Vec<_> = GENERATED.iter().map(|path| ctx.root.join(path)).collect();
    paths.push(ctx.state());
    if args.all {
        paths.extend([ctx.root.join("ui-src/node_modules"), ctx.target_dir.clone()]);
    }
    for path in paths.iter().filter(|path| path.exists()) {
        files::remove(path)?;
        sh::note(ctx, &format!("removed {path}"));
    }
    Ok(())
}
